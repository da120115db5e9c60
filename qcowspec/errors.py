"""Every error that leaves the package.

In: nothing. Out: one small family, split by whose fault it is; and names as a message may show
them. Refuses: nothing.

The words are the house's own and mean the same in rules, vectors, reports and exit codes:
*not-qcow* (the probe says no), *malformed* (the bytes do not parse), *invalid* (they parse and
break a rule), *unsupported* (valid, and outside what this reader does), *refused* (the gate says
no) and *unreadable* (the bytes cannot be had at all).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from typing import Any, ClassVar

Value = int | bytes | str | bool | None


class QcowError(Exception):
    """An image, or the way to it, is not as it has to be.

    Attributes:
        message: One clear sentence, without file name or rule.
        rule: Identifier of the broken rule, such as ``header/cluster-bits``.
        stage: Stage that found it: probe, header, extensions, l1, ….
        offset: Offset in the image file of the bytes at fault, in bytes.
        field: The field at fault, by QEMU's name, such as ``header.cluster_bits``.
        value: The value found there.
        path: The image, as the user named it.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        message: str,
        *,
        rule: str | None = None,
        stage: str | None = None,
        offset: int | None = None,
        field: str | None = None,
        value: Value = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule
        self.stage = stage
        self.offset = offset
        self.field = field
        self.value = value
        self.path = path

    def __str__(self) -> str:
        """The sentence a person reads: file, offset, what is wrong, and the rule to look up."""
        where = "" if self.path is None else f"{self.path}: "
        if self.offset is not None:
            where += f"at {self.offset:#x}: "
        return where + self.message + ("" if self.rule is None else f" [{self.rule}]")


class NotQcow(QcowError):
    """The probe finds no QCOW image here."""

    kind = "not-qcow"


class Malformed(QcowError):
    """The bytes do not parse."""

    kind = "malformed"


class Invalid(QcowError):
    """The bytes parse and break a rule."""

    kind = "invalid"


class Unsupported(QcowError):
    """The image is valid, and outside what this reader does."""

    kind = "unsupported"


class Refused(QcowError):
    """The gate does not let this image open another file."""

    kind = "refused"


class Unreadable(QcowError, OSError):
    """The bytes of the image cannot be had: no such file, no permission, a device error.

    Attributes:
        errno: The system's number, where the system says why; EIO where something else does.
        strerror: The message.
        filename: The image, as the user named it.
    """

    kind = "unreadable"

    def __init__(
        self,
        message: str,
        *,
        errno: int | None = None,
        rule: str | None = None,
        stage: str | None = None,
        offset: int | None = None,
        field: str | None = None,
        value: Value = None,
        path: str | None = None,
    ) -> None:
        super().__init__(
            message, rule=rule, stage=stage, offset=offset, field=field, value=value, path=path
        )
        self._errno = errno

    @property
    def errno(self) -> int:  # type: ignore[override] # nobody sets it
        """See the class."""
        if self._errno is None:
            cause = self.__cause__
            found = cause.errno if isinstance(cause, OSError) else None
            return found or errno.EIO
        return self._errno

    @property
    def strerror(self) -> str:  # type: ignore[override] # nobody sets it
        """See the class."""
        return self.message

    @property
    def filename(self) -> str | None:
        """See the class."""
        return self.path

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes, which get no cause."""
        return type(self), (self.message,), {**self.__dict__, "_errno": self.errno}


class Changed(Unreadable):
    """The bytes of the image were changed, or cut off, while they were read."""


def reason_of(error: OSError | ValueError) -> str:
    """The system's own words for what failed, as they stand inside a sentence: in lower case."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text[:1].lower() + text[1:]


def offered(word: str, known: Iterable[str]) -> str:
    """A sentence that offers what a word that is not known is nearest to; empty if it is near none.

    Args:
        word: What the user typed.
        known: What may stand in its place; `COMPARED` of them are looked at.
    """
    from difflib import get_close_matches
    from itertools import islice

    names = [name[:LONGEST_WORD] for name in islice(known, COMPARED)]
    near = get_close_matches(word[:LONGEST_WORD], names, 1)
    return f" Did you mean {near[0]}?" if near else ""


COMPARED = 1000
LONGEST_WORD = 100
"""Bounds of what is compared: names may come from an image."""


BY_KIND: dict[str, type[QcowError]] = {
    error.kind: error for error in (NotQcow, Malformed, Invalid, Unsupported, Refused, Unreadable)
}


# --- Names in messages ----------------------------------------------------------------------------

CHAIN, HIDDEN = "::", "…"

SPEC = "json:"
"""How a source spec begins where a name may stand."""

SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*"

PLACE = r"[^:]*(:[0-9]*)?|\[[0-9A-Fa-f:.]*\](:[0-9]*)?"
"""A host, or what stands in its place, and a port; anything else may be half of a password."""

LONGEST = 4096
"""Bytes of a name that are looked at: an image's has 1023 at most."""


def name_of(data: bytes, most: int | None = None) -> str:
    """A name that stands in an image, as a message shows it: quoted, and without secrets.

    Args:
        data: The name, verbatim.
        most: Bytes of it that are shown, at most.
    """
    text = data[:LONGEST].decode("utf-8", "backslashreplace")
    safe = text if "://" not in text or text.startswith(SPEC) else shown(text)
    return repr(safe[:most])


def shown(name: str) -> str:
    """A name as it may be shown, whatever kind of URL it is, or chain of URLs.

    No user, password, query or fragment is shown, and nothing of a source spec. Where it cannot be
    told which part of a URL is its password, nothing but the scheme is. It is for names of which no
    file is known to exist: a file's name is shown as it is.
    """
    pieces: list[str] = []
    for piece in name.split(CHAIN):
        if "@" in piece and "://" not in piece and any("://" in other for other in pieces):
            pieces.append(HIDDEN)  # the end of a password with "::" in it
        else:
            pieces.append(_without_secrets(piece))
        if pieces[-1].endswith(HIDDEN):
            break
    return CHAIN.join(pieces)


def _without_secrets(piece: str) -> str:
    if piece.startswith(SPEC):
        return f"{SPEC}{HIDDEN}"
    scheme, separator, rest = piece.partition("://")
    if not separator:
        return piece.partition("?")[0]
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path, place = rest[len(place) :], place.rpartition("@")[2]
    is_plain = re.fullmatch(SCHEME, scheme) and re.fullmatch(PLACE, place)
    if not is_plain or ("@" in path and ":" in place):
        return hidden(piece)
    return f"{scheme}://{place}{path.partition('?')[0].partition('#')[0]}"


def hidden(url: str) -> str:
    """A URL of which nothing but the scheme may be shown."""
    scheme = url.partition("://")[0]
    return f"{scheme}://{HIDDEN}" if re.fullmatch(SCHEME, scheme) else HIDDEN
