"""Ranges of a file on an HTTP server.

In: a URL. Out: the bytes of ranges. Refuses: servers that ignore ranges (but for small files, which
are read whole), answers that are not the range that was asked for, files that change while they are
read, redirects without end, from https to http, or to other protocols.

Source: RFC 9110: 8.8 (validators), 13.1.5 (If-Range), 14 (ranges), 15.4 (redirects).
"""

from __future__ import annotations

import errno
import re
import time
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import NamedTuple
from urllib.parse import urljoin

from qcowspec.errors import QcowError, Unreadable
from qcowspec.sources.connections import (
    Connections,
    Unsendable,
    Untrusted,
    basic,
    transient,
)
from qcowspec.sources.locations import HTTP, Location, located, origin_of
from qcowspec.sources.retries import Patience, Transient

REDIRECTS = 5
"""How many redirects are followed."""

PIECE = 1 << 20
"""Bytes of a body that are read at a time; what came before a fault is kept in such steps."""

LONGEST = 2**63 - 1
"""Bytes of a file, at most, as everywhere in QEMU and Linux."""

LONGEST_WAIT = 30
"""Most seconds that a server may ask a client to wait."""

MOVED = (301, 302, 303, 307, 308)
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed."""

REFRESHED = (401, 403, 404, 410)
"""Statuses after which a redirect is asked for again: the URL that it gave may have run out."""

CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
UNSATISFIED = re.compile(r"bytes \*/(\d{1,19})")

NO_RANGES = "cannot be read in place: the server ignores Range, and would send the whole file"
OTHER_RANGE = "cannot be read: the server answers with another range than asked for"
CHANGED = "has changed on the server while it was read; start again"


class RangesIgnored(Exception):
    """The server sends the whole file."""


class Identity(NamedTuple):
    """Which version of a file is read.

    Attributes:
        length: Its bytes.
        etag: The server's name of the version; empty if it gives none.
        modified: When it was changed last, in the server's words; empty if it does not say.
    """

    length: int
    etag: str = ""
    modified: str = ""


class Answer(NamedTuple):
    """A response, and what is needed to read it and to keep its connection."""

    url: str
    response: HTTPResponse
    connection: HTTPConnection

    def header(self, name: str) -> str:
        """A header's value; empty if there is none."""
        return (self.response.getheader(name) or "").strip()


class Body:
    """The bytes of a range, in order; for one thread."""

    def __init__(self, answer: Answer, length: int, connections: Connections) -> None:
        self._answer, self._left, self._connections = answer, length, connections

    def read_into(self, buffer: memoryview) -> int:
        """Read on.

        Returns:
            How many bytes are in the buffer: all that it holds, or fewer where the range ends, or
            where something fails after some of them.

        Raises:
            Transient: Something fails before the first of them.
        """
        response = self._answer.response
        wanted, done, failure = min(len(buffer), self._left), 0, None
        try:
            while done < wanted and (
                count := response.readinto(buffer[done : min(done + PIECE, wanted)])
            ):
                done += count
        except (OSError, HTTPException, ValueError) as error:
            failure = _passing(self._answer, error)
        self._left -= done
        if done < wanted:
            self.close()
            if not done:
                raise failure or Transient("what comes ends early")
        elif not self._left:
            _done(self._answer, self._connections)
        return done

    def close(self) -> None:
        """Read no more; harmless when called again."""
        if self._left:
            self._answer.connection.close()


def _passing(answer: Answer, error: Exception) -> Transient:
    """The error to raise for a body that breaks off."""
    answer.connection.close()
    found = transient(error)
    return found if isinstance(found, Transient) else Transient("the connection breaks")


def _done(answer: Answer, connections: Connections) -> None:
    """Keep the connection of an answer that was read to its end."""
    if answer.response.will_close or not answer.response.isclosed():
        answer.connection.close()
    else:
        connections.keep(answer.url, answer.connection)


class HttpTransport:
    """A file on an HTTP server; its methods may be called from several threads.

    Attributes:
        name: The file, as it may be shown.
    """

    condition = "If-Range"
    """The header that asks for the version of an ETag."""

    encodes = True
    """Whether a Content-Encoding is the server's doing; else it belongs to the stored file."""

    def __init__(self, location: Location, patience: Patience) -> None:
        self.name = location.name
        self._location = location
        self._url = location.url  # where the last redirect led
        self._patience = patience
        self._connections = Connections(patience)
        self._identity: Identity | None = None

    def open(self, length: int, deadline: float) -> tuple[Identity, bytes]:
        """Find the file.

        Args:
            length: Bytes of its beginning that are wanted.
            deadline: When to give up, by the monotonic clock.

        Returns:
            What it is, and its beginning; less of it only where the file ends.

        Raises:
            RangesIgnored: The server sends the whole file.
            Transient: It may work the next time.
            Unreadable: It will not.
        """
        answer = self._ask(0, length, None, deadline)
        status = answer.response.status
        if status == HTTPStatus.OK and answer.header("Content-Length") == "0":
            _done(answer, self._connections)
            return self._opened(Identity(0), answer), b""
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            found = UNSATISFIED.fullmatch(answer.header("Content-Range"))
            answer.connection.close()
            if found is None:  # a store may leave out the length
                answer = self._ask(None, 0, None, deadline)
                answer.connection.close()
            if (answer.header("Content-Length") if found is None else found[1]) != "0":
                raise self._error("cannot be read: the server has no range of it (416)")
            return self._opened(Identity(0), answer), b""
        if status == HTTPStatus.OK:
            answer.connection.close()
            raise RangesIgnored
        start, end, total = self._range(answer)
        if start or end > length or end != min(length, total):
            raise self._dropped(answer, OTHER_RANGE)
        identity = Identity(total, answer.header("ETag"), answer.header("Last-Modified"))
        data = bytearray(end)
        with closing(Body(answer, end, self._connections)) as body:
            if body.read_into(memoryview(data)) < end:
                raise Transient("what comes ends early")
        return self._opened(identity, answer), bytes(data)

    def begin(self, offset: int, length: int, deadline: float) -> Body:
        """Ask for a range of the file that `open` found.

        Raises:
            Transient: It may work the next time.
            Unreadable: It will not, or the file is no longer the same.
        """
        assert self._identity is not None
        answer = self._ask(offset, length, self._identity, deadline)
        self._check_same(answer)
        start, end, total = self._range(answer)
        if start != offset or end > offset + length:
            raise self._dropped(answer, OTHER_RANGE)
        if total != self._identity.length:
            raise self._dropped(answer, CHANGED)
        return Body(answer, end - start, self._connections)

    def whole(self, most: int, deadline: float) -> list[bytes]:
        """Read the file from its beginning to its end, of a server that knows no ranges.

        Raises:
            Transient: It may work the next time.
            Unreadable: It has more than `most` bytes, or cannot be read.
        """
        answer = self._ask(None, 0, None, deadline)
        stated = answer.header("Content-Length")
        if answer.response.status != HTTPStatus.OK or (stated.isdecimal() and int(stated) > most):
            raise self._dropped(answer, NO_RANGES)
        pieces: list[bytes] = []
        size, failure = 0, None
        try:
            while size <= most and (piece := answer.response.read(PIECE)):
                pieces.append(piece)
                size += len(piece)
        except (OSError, HTTPException, ValueError) as error:
            failure = _passing(answer, error)
        if failure is not None:
            raise failure
        if size > most:
            raise self._dropped(answer, NO_RANGES)
        if stated.isdecimal() and int(stated) != size:
            answer.connection.close()
            raise Transient("what comes ends early")
        _done(answer, self._connections)
        return pieces

    def sibling(self, name: str) -> HttpTransport | None:
        """Another file of this server, with the same credentials; see `Source.sibling`."""
        if not name.startswith(("http://", "https://")):
            return None
        if origin_of(name) != self._location.origin:
            return None
        there = located(name)._replace(credentials=self._location.credentials)
        return HttpTransport(there, self._patience)

    def close(self) -> None:
        """Hang up."""
        self._connections.close()

    # --- requests ---------------------------------------------------------------------------------

    def _ask(
        self, offset: int | None, length: int, known: Identity | None, deadline: float
    ) -> Answer:
        """Send a request, follow redirects, and raise an error for a status that brings no bytes.

        A file that is known is asked for where the last redirect led.
        """
        headers = {"Accept-Encoding": "identity", "User-Agent": "qcowspec"}
        if offset is not None:
            headers["Range"] = f"bytes={offset}-{offset + length - 1}"
        if known is not None and known.etag and not known.etag.startswith("W/"):
            headers[self.condition] = known.etag
        elif known is not None and known.modified and not known.etag:
            headers["If-Range"] = known.modified
        first = url = self._location.url if known is None else self._url
        for _ in range(REDIRECTS + 1):
            answer = self._sent(url, headers, deadline)
            status = answer.response.status
            if status not in MOVED:
                break
            with closing(answer.connection):
                url = self._moved(url, answer)
        else:
            raise self._error(f"cannot be read: more than {REDIRECTS} redirects in a row")
        if status in REFRESHED and first != self._location.url:
            answer.connection.close()
            self._url = self._location.url
            return self._ask(offset, length, known, deadline)
        if status in (200, 206, 416):
            self._url = url
            return answer
        with closing(answer.connection):
            raise self._refusal(status, answer)

    def _sent(self, url: str, headers: dict[str, str], deadline: float) -> Answer:
        own = self._location.credentials
        if own is not None and origin_of(url) == self._location.origin:
            headers = {**headers, "Authorization": basic(*own)}
        if time.monotonic() >= deadline:
            raise Transient("the server does not answer")
        failure: QcowError
        try:
            return Answer(url, *self._connections.ask(url, headers, deadline))
        except Untrusted as error:
            failure = self._error(f"cannot be read: the server cannot be trusted: {error}")
        except Unsendable as error:
            failure = self._error(str(error))
        raise failure

    def _moved(self, url: str, answer: Answer) -> str:
        """Where a redirect leads.

        Raises:
            Unreadable: Nowhere, or where it must not lead.
        """
        there, target = answer.header("Location"), ""
        with suppress(ValueError):
            target = urljoin(url, there)
        scheme = target.partition(":")[0].lower()
        if not there or scheme not in HTTP:
            raise self._error("cannot be read: the server redirects to no http or https URL")
        if url.startswith("https:") and scheme != "https":
            raise self._error("cannot be read: the server redirects from https to http")
        return located(target).url

    def _refusal(self, status: int, answer: Answer) -> Exception:
        """The error for a status that brings no bytes."""
        shown = str(status)
        if status in HTTPStatus.__members__.values():
            shown += f" {HTTPStatus(status).phrase}"
        if status in PASSING:
            after = answer.header("Retry-After")
            wait = min(int(after[:9]), LONGEST_WAIT) if after.isdecimal() else None
            return Transient(f"the server answers {shown}", after=wait)
        if status in (401, 403):
            does = "wants" if self._location.credentials is None else "refuses these"
            says = f"cannot be read: the server {does} credentials ({shown})"
            return self._error(says, errno.EACCES)
        if status in (404, 410):
            return self._error(f"is not there: the server answers {shown}", errno.ENOENT)
        if status == HTTPStatus.PRECONDITION_FAILED:
            return self._error(CHANGED)
        return self._error(f"cannot be read: the server answers {shown}")

    # --- answers ----------------------------------------------------------------------------------

    def _range(self, answer: Answer) -> tuple[int, int, int]:
        """Start, end and file length of a 206 answer."""
        found = CONTENT_RANGE.fullmatch(answer.header("Content-Range"))
        encoding = answer.header("Content-Encoding").lower() if self.encodes else ""
        if (
            answer.response.status != HTTPStatus.PARTIAL_CONTENT
            or found is None
            or encoding not in ("", "identity")
        ):
            raise self._dropped(answer, OTHER_RANGE)
        start, last, total = (int(number) for number in found.groups())
        stated = answer.response.length
        if (
            last < start
            or last >= total
            or total > LONGEST
            or stated not in (None, last + 1 - start)
        ):
            raise self._dropped(answer, OTHER_RANGE)
        return start, last + 1, total

    def _check_same(self, answer: Answer) -> None:
        """Refuse an answer about another version of the file."""
        known, status = self._identity, answer.response.status
        assert known is not None
        etag, modified = answer.header("ETag"), answer.header("Last-Modified")
        other = bool(known.etag and etag and etag != known.etag)
        other |= bool(not known.etag and known.modified and modified not in ("", known.modified))
        if other or status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise self._dropped(answer, CHANGED)
        if status == HTTPStatus.OK:
            raise self._dropped(answer, NO_RANGES)

    def _opened(self, identity: Identity, answer: Answer) -> Identity:
        """Keep which version of the file `answer` is about."""
        self._identity = identity
        return identity

    def _dropped(self, answer: Answer, message: str) -> QcowError:
        """The error of an answer that is not read."""
        answer.connection.close()
        return self._error(message)

    def _error(self, message: str, number: int | None = None) -> QcowError:
        return Unreadable(message, errno=number, path=self.name)
