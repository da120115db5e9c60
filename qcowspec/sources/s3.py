"""Ranges of an object in S3, or in a store that speaks its protocol.

In: bucket and key, with or without credentials. Out: a `Transport`. Refuses: objects that change
while they are read, and what the store refuses.

s3fs finds credentials, region and endpoint, as it does everywhere; the requests are made here,
because each of them has to say which version of the object it is about.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

from qcowspec.errors import QcowError, Unreadable
from qcowspec.sources.discretion import be_discreet
from qcowspec.sources.filesystems import missing
from qcowspec.sources.http import CHANGED, CONTENT_RANGE, PASSING, PIECE
from qcowspec.sources.locations import HIDDEN, key, located, shown
from qcowspec.sources.remote import Remote
from qcowspec.sources.requests import IN_FLIGHT
from qcowspec.sources.retries import PATIENCE, Patience, Transient
from qcowspec.sources.source import Source
from qcowspec.sources.transport import Identity

AMAZON = re.compile(r"(?:(?P<bucket>.+)\.)?(?P<host>s3[.-].*amazonaws\.com(?:\.cn)?)")
"""A host of Amazon's, with the bucket in front where the URL is of that style."""

BUSY = ("SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling")
DENIED = (
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "403",
    "401",
)
ABSENT = ("NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404")
GONE = ("PreconditionFailed", "InvalidRange", "412", "416")


class _Body:
    """The body of an answer; see `Body`."""

    def __init__(self, transport: S3Transport, body: Any, deadline: float) -> None:
        self._transport, self._body, self._deadline = transport, body, deadline

    def read_into(self, buffer: memoryview) -> int:
        """See `Body.read_into`."""
        done: int = self._transport.awaited(self._read(buffer), self._deadline)
        if not done:
            raise Transient("what comes ends early")
        return done

    async def _read(self, buffer: memoryview) -> int:
        done = 0
        try:
            while done < len(buffer):
                piece = await self._body.read(min(PIECE, len(buffer) - done))
                if not piece:
                    break
                buffer[done : done + len(piece)] = piece
                done += len(piece)
        except Exception:
            if not done:
                raise
        return done

    def close(self) -> None:
        """See `Body.close`."""
        self._transport.later(self._body.close)


class S3Transport:
    """An object; see `Transport`."""

    def __init__(
        self, bucket: str, key: str, name: str, options: dict[str, Any], patience: Patience
    ) -> None:
        self.name = name
        self._place = {"Bucket": bucket, "Key": key}
        self._options, self._patience = options, patience
        self._system = _system(name, options, patience)
        self._identity: Identity | None = None
        self._version: dict[str, str] = {}

    def open(self, length: int, deadline: float) -> tuple[Identity, bytes]:
        """See `Transport.open`."""
        head = self._call(0, length, {}, deadline)
        if head is None:  # it has no byte, and so no range
            head = self._guarded(self._system.call_s3, "head_object", **self._place)
            if head.get("ContentLength") != 0:
                raise self._error("cannot be read: the store has no range of it")
            self._identity = Identity(0)
            return self._identity, b""
        with closing(_Body(self, head["Body"], deadline)) as body:
            _, end, total = self._range(head)
            if end != min(length, total):
                raise self._error("cannot be read: the store answers with another range")
            data = bytearray(end)
            if body.read_into(memoryview(data)) < end:
                raise Transient("what comes ends early")
        self._identity = Identity(total, head.get("ETag", ""), str(head.get("LastModified", "")))
        if head.get("VersionId") not in (None, "null"):
            self._version = {"VersionId": head["VersionId"]}
        return self._identity, bytes(data)

    def begin(self, offset: int, length: int, deadline: float) -> _Body:
        """See `Transport.begin`."""
        known = self._identity
        assert known is not None
        about = {**self._version, **({"IfMatch": known.etag} if known.etag else {})}
        head = self._call(offset, length, about, deadline)
        if head is None:
            raise self._error(CHANGED)
        body = _Body(self, head["Body"], deadline)
        try:
            start, _, total = self._range(head)
            if start != offset:
                raise self._error("cannot be read: the store answers with another range")
            if total != known.length or head.get("ETag", "") != known.etag:
                raise self._error(CHANGED)
        except QcowError:
            body.close()
            raise
        return body

    def sibling(self, name: str) -> Source | None:
        """See `Source.sibling`."""
        if not name.startswith("s3://"):
            return None
        bucket, _, key = name.removeprefix("s3://").partition("/")
        if bucket != self._place["Bucket"]:
            return None
        return Remote(S3Transport(bucket, key, name, self._options, self._patience), self._patience)

    def close(self) -> None:
        """Nothing is hung up: another image may be behind the same connections."""

    def _call(
        self, offset: int, length: int, about: dict[str, str], deadline: float
    ) -> dict[str, Any] | None:
        """Ask for a range; None where there is none."""
        wanted = {**self._place, **about, "Range": f"bytes={offset}-{offset + length - 1}"}
        found: dict[str, Any] | None = self.awaited(self._answer(wanted), deadline)
        return found

    async def _answer(self, wanted: dict[str, str]) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            # The async half of call_s3.
            answer: dict[str, Any] = await self._system._call_s3("get_object", **wanted)
        except (OSError, ClientError) as error:
            if "InvalidRange" in _codes(error):
                return None
            raise
        return answer

    def awaited(self, work: Coroutine[Any, Any, Any], deadline: float) -> Any:
        """Do something on the loop of s3fs, until a deadline, and say what goes wrong in our words.

        Raises:
            Transient: It may go better the next time.
            QcowError: It will not.
        """
        from fsspec.asyn import sync

        left = deadline - time.monotonic()
        if left <= 0:
            work.close()
            raise Transient("the store does not answer")
        return self._guarded(sync, self._system.loop, asyncio.wait_for, work, left)

    def later(self, work: Callable[[], None]) -> None:
        """Have something done by the loop of s3fs, whenever it comes to it."""
        with suppress(RuntimeError):  # at the end of a process there is none any more
            self._system.loop.call_soon_threadsafe(work)

    def _range(self, head: dict[str, Any]) -> tuple[int, int, int]:
        found = CONTENT_RANGE.fullmatch(head.get("ContentRange", ""))
        status = head.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if found is None or status != HTTPStatus.PARTIAL_CONTENT:
            raise self._error("cannot be read in place: the store ignores Range")
        start, last, total = (int(number) for number in found.groups())
        return start, last + 1, total

    def _guarded(self, work: Any, *words: Any, **named: Any) -> Any:
        """Do something with other people's code, and say in our words what goes wrong."""
        failure: Exception
        try:
            return work(*words, **named)
        except (QcowError, Transient):
            raise
        except Exception as error:  # botocore, aiohttp and s3fs each have their own
            failure = self._made_of(error)
        raise failure

    def _made_of(self, error: Exception) -> Exception:
        """The error for what a library raised, without its words: they may name secrets."""
        codes = _codes(error)
        kind = type(error).__name__
        if codes & set(BUSY) or codes & {str(status) for status in PASSING}:
            return Transient(f"the store answers {min(codes)}")
        if kind in ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError"):
            return self._error("cannot be read: no credentials for S3 are to be found here")
        if codes & set(DENIED) or isinstance(error, PermissionError):
            return self._error("cannot be read: the store refuses these credentials (403)")
        if codes & set(ABSENT) or isinstance(error, FileNotFoundError):
            return self._error("is not there: the store has no such object")
        if codes & set(GONE):
            return self._error(CHANGED)
        if kind in ("SSLError", "ParamValidationError", "NoRegionError", "ProfileNotFound"):
            return self._error(f"cannot be read: {SAID[kind]}")
        if codes:
            return self._error(f"cannot be read: the store answers {min(codes)}")
        return Transient("the store does not answer, or hangs up")

    def _error(self, message: str) -> QcowError:
        return Unreadable(message, path=self.name)


SAID = {
    "SSLError": "the store cannot be trusted: its certificate does not hold",
    "ParamValidationError": "its bucket or key is not one that S3 can have",
    "NoRegionError": "no region is set",
    "ProfileNotFound": "there is no such profile in the configuration",
}


def _codes(error: BaseException | None) -> set[str]:
    """The store's own codes for what went wrong, from an error or those behind it."""
    found: set[str] = set()
    for _ in range(5):
        if error is None:
            break
        answer = getattr(error, "response", None)
        if isinstance(answer, dict):
            code = str(answer.get("Error", {}).get("Code", ""))
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
            found |= {each for each in (code, str(status or "")) if re.fullmatch(r"\w{1,40}", each)}
        error = error.__cause__ or error.__context__
    return found - {str(int(HTTPStatus.OK))}


_SYSTEMS: dict[str, Any] = {}
"""File systems, by the key of all that they depend on: one takes a third of a second to make."""

KEPT = 8
"""How many of them are kept."""


def _system(name: str, options: dict[str, Any], patience: Patience) -> Any:
    """An s3fs file system of our own: its libraries do not try again, we do."""
    environment = tuple(sorted(each for each in os.environ.items() if each[0].startswith("AWS_")))
    wanted = key(os.getpid(), patience, environment, sorted(options.items()))
    if wanted not in _SYSTEMS:
        try:
            from s3fs import S3FileSystem
        except ImportError:
            S3FileSystem = None  # noqa: N806 - a class's name
        if S3FileSystem is None:
            raise missing(name)
        while len(_SYSTEMS) >= KEPT:
            _SYSTEMS.pop(next(iter(_SYSTEMS)), None)
        config = {
            "connect_timeout": patience.connect,
            "read_timeout": patience.silence,
            "retries": {"total_max_attempts": 1},
            "max_pool_connections": 2 * IN_FLIGHT,
        }
        made = S3FileSystem(skip_instance_cache=True, config_kwargs=config, **options)
        made.retries = 1
        be_discreet("botocore")
        be_discreet("aiobotocore")
        _SYSTEMS[wanted] = made
    return _SYSTEMS[wanted]


def open_s3(rest: str, patience: Patience = PATIENCE) -> Source:
    """Open ``s3://BUCKET/KEY``, given without its scheme; credentials are found as usual.

    Raises:
        Unreadable: It cannot be had.
        Unsupported: s3fs is not installed.
    """
    bucket, _, wanted = rest.partition("/")
    name = shown(f"s3://{rest}")
    if not bucket or not wanted or "@" in bucket:
        raise Unreadable("names no object: s3://BUCKET/KEY", path=name)
    if name != f"s3://{rest}":  # a key may have a question mark; what an image names there is not
        name += f"?{HIDDEN}"  # looked up, as the name is not whole
    return Remote(S3Transport(bucket, wanted, name, {}, patience), patience)


def open_s3_url(
    url: str, access_key: str, secret_key: str, patience: Patience = PATIENCE
) -> Source:
    """Open an object by its HTTP URL, with credentials.

    Raises:
        Unreadable: It cannot be had.
        Unsupported: s3fs is not installed.
    """
    there = located(url)
    parts = urlsplit(there.url)
    place, path = parts.netloc, unquote(parts.path).lstrip("/")
    amazon = AMAZON.fullmatch(place)
    if amazon is not None and amazon["bucket"]:
        place, bucket, wanted = amazon["host"], amazon["bucket"], path
    else:
        bucket, _, wanted = path.partition("/")
    if not bucket or not wanted:
        raise Unreadable("names no object: https://HOST/BUCKET/KEY", path=there.name)
    options = {
        "key": access_key,
        "secret": secret_key,
        "endpoint_url": f"{parts.scheme}://{place}",
    }
    return Remote(
        S3Transport(bucket, wanted, f"s3://{bucket}/{wanted}", options, patience), patience
    )
