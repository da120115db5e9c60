"""An object in S3, or in a store that speaks its protocol.

In: bucket and key, with or without credentials. Out: a `Source`. Refuses: objects that change
while they are read, and what the store refuses.

botocore finds credentials, region and endpoint as usual, and signs each request; the
requests are sent by `HttpTransport`.
"""

from __future__ import annotations

import errno
import io
import os
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException
from threading import local
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from qcowspec.errors import HIDDEN, QcowError, Unreadable, shown
from qcowspec.sources.connections import HEAD
from qcowspec.sources.discretion import be_discreet
from qcowspec.sources.filesystems import missing
from qcowspec.sources.http import Answer, HttpTransport, Identity
from qcowspec.sources.locations import Location, key, located
from qcowspec.sources.remote import opened
from qcowspec.sources.retries import PATIENCE, Patience, Transient
from qcowspec.sources.source import Source

AMAZON = re.compile(r"(?:(?P<bucket>.+)\.)?(?P<host>s3[.-].*amazonaws\.com(?:\.cn)?)")
"""A host of Amazon's, with the bucket in front where the URL is of that style."""

CODE = re.compile(rb"<Code>(\w{1,40})</Code>")
REGION = re.compile(rb"<Region>([a-z0-9-]{1,40})</Region>")
"""Where the store's XML has the error's code, and the right region."""

BUSY = ("RequestTimeout", "Throttling")
DENIED = ("ExpiredToken", "InvalidToken")
"""Codes of errors with status 400, where the status alone is not clear."""


class S3Transport(HttpTransport):
    """An object; see `HttpTransport`."""

    condition = "If-Match"
    encodes = False

    def __init__(
        self, bucket: str, key: str, name: str, options: dict[str, str], patience: Patience
    ) -> None:
        """Find out how to sign.

        Args:
            bucket: The bucket.
            key: The object's key.
            name: The object, as it may be shown.
            options: Arguments of botocore's client: credentials, endpoint, region.
            patience: How long to wait for the store.

        Raises:
            Unreadable: botocore's configuration cannot be used.
            Unsupported: botocore is not installed.
        """
        super().__init__(Location(name, ""), patience)
        self._place = {"Bucket": bucket, "Key": key}
        self._options = options
        self._client, self._connections.context = self._guarded(lambda: _client(options, patience))

    def sibling(self, name: str) -> S3Transport | None:
        """Another object of the bucket; see `Source.sibling`."""
        bucket, _, key = name.removeprefix("s3://").partition("/")
        if not name.startswith("s3://") or bucket != self._place["Bucket"]:
            return None
        return S3Transport(bucket, key, name, self._options, self._patience)

    def _sent(self, url: str, headers: dict[str, str], deadline: float) -> Answer:
        self._guarded(lambda: self._client.get_object(**self._place))
        signed = _SIGNED.request  # a range and a condition need not be signed
        return super()._sent(signed.url, {**headers, **_texts(signed.headers)}, deadline)

    def _opened(self, identity: Identity, answer: Answer) -> Identity:
        version = answer.header("x-amz-version-id")
        if version not in ("", "null"):
            self._place = {**self._place, "VersionId": version}
        return super()._opened(identity, answer)

    def _moved(self, url: str, answer: Answer) -> NoReturn:
        """No redirect is followed: what is signed is signed for one host."""
        raise self._refusal(answer.response.status, answer)

    def _refusal(self, status: int, answer: Answer) -> Exception:
        text = b""
        with suppress(OSError, HTTPException, ValueError):
            text = answer.response.read(HEAD)
        code = _found(CODE, text)
        if self._is_elsewhere(answer.header("x-amz-bucket-region") or _found(REGION, text)):
            return Transient("the bucket is in another region", after=0)
        if code in BUSY:
            return Transient(f"the store answers {code}")
        if status in (401, 403) or code in DENIED:
            says = "cannot be read: the store refuses these credentials (403)"
            return self._error(says, errno.EACCES)
        if status == HTTPStatus.NOT_FOUND:
            return self._error("is not there: the store has no such object", errno.ENOENT)
        return super()._refusal(status, answer)

    def _is_elsewhere(self, region: str) -> bool:
        """Whether the bucket is in another region; further requests are signed for that one."""
        if not re.fullmatch(r"[a-z0-9-]{1,40}", region) or region == self._client.meta.region_name:
            return False
        self._options = {**self._options, "region_name": region}
        self._client, _ = self._guarded(lambda: _client(self._options, self._patience))
        return True

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Call botocore, whose errors become ours, without their words: they may name secrets."""
        failure: QcowError
        try:
            return work()
        except ImportError:
            failure = missing(self.name)
        except Exception as error:  # each part of botocore has its own
            kind = type(error).__name__
            reason = REASONS.get(kind, f"no request can be signed for S3 ({kind})")
            failure = self._error(f"cannot be read: {reason}")
        raise failure


NO_CREDENTIALS = "no credentials for S3 are to be found here"
NO_OBJECT = "its bucket or key is not one that S3 can have"

REASONS = {
    "NoCredentialsError": NO_CREDENTIALS,
    "PartialCredentialsError": NO_CREDENTIALS,
    "TokenRetrievalError": NO_CREDENTIALS,
    "ParamValidationError": NO_OBJECT,
    "UnicodeEncodeError": NO_OBJECT,
    "NoRegionError": "no region is set",
    "ProfileNotFound": "there is no such profile in the configuration",
}
"""What to say of botocore's errors, by their type."""


def _found(pattern: re.Pattern[bytes], text: bytes) -> str:
    """The first match in a store's XML; empty if there is none."""
    match = pattern.search(text)
    return "" if match is None else match[1].decode("ascii", "replace")


_CLIENTS: dict[str, tuple[Any, ssl.SSLContext | None]] = {}
"""Clients, by the key of what they depend on: one takes a third of a second to make."""

KEPT = 8
"""How many of them are kept."""


def _client(options: dict[str, str], patience: Patience) -> tuple[Any, ssl.SSLContext | None]:
    """A client of botocore's, which signs requests for objects, and does not send them.

    Returns:
        The client; and the authorities that its configuration trusts, where that names some.
    """
    environment = tuple(sorted(each for each in os.environ.items() if each[0].startswith("AWS_")))
    wanted = key(patience, environment, sorted(options.items()))
    if wanted not in _CLIENTS:
        from botocore.config import Config
        from botocore.session import Session

        while len(_CLIENTS) >= KEPT:
            _CLIENTS.pop(next(iter(_CLIENTS)), None)
        session = Session()
        bounds = Config(  # of requests for credentials
            connect_timeout=patience.connect,
            read_timeout=patience.silence,
            retries={"total_max_attempts": 2},
        )
        session.set_default_client_config(bounds)
        client = session.create_client("s3", config=Config(signature_version="s3v4"), **options)
        client.meta.events.register("before-send.s3.GetObject", _keep)
        authorities = session.get_config_variable("ca_bundle")
        context = None if authorities is None else ssl.create_default_context(cafile=authorities)
        be_discreet("botocore")
        _CLIENTS[wanted] = client, context
    return _CLIENTS[wanted]


_SIGNED = local()
"""The request that was signed last in this thread."""


def _keep(request: Any, **_: Any) -> Any:
    """Keep a signed request, and answer it in the store's place."""
    from botocore.awsrequest import AWSResponse

    _SIGNED.request = request
    return AWSResponse(request.url, int(HTTPStatus.OK), {}, io.BytesIO())


def _texts(headers: Mapping[str, str | bytes]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else value.decode("latin-1")
        for name, value in headers.items()
    }


def open_s3(rest: str, patience: Patience = PATIENCE) -> Source:
    """Open ``s3://BUCKET/KEY``, given without its scheme; credentials are found as usual.

    Raises:
        Unreadable: It cannot be read.
        Unsupported: botocore is not installed.
    """
    bucket, _, wanted = rest.partition("/")
    name = shown(f"s3://{rest}")
    if not bucket or not wanted or "@" in bucket:
        raise Unreadable("names no object: s3://BUCKET/KEY", path=name)
    if name != f"s3://{rest}":  # a key may have a question mark; what an image names there is not
        name += f"?{HIDDEN}"  # looked up, as the name is not whole
    return opened(S3Transport(bucket, wanted, name, {}, patience), patience)


def open_s3_url(
    url: str, access_key: str, secret_key: str, patience: Patience = PATIENCE
) -> Source:
    """Open an object by its HTTP URL, with credentials.

    Raises:
        Unreadable: It cannot be read.
        Unsupported: botocore is not installed.
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
        "aws_access_key_id": access_key,
        "aws_secret_access_key": secret_key,
        "endpoint_url": f"{parts.scheme}://{place}",
    }
    name = f"s3://{bucket}/{wanted}"
    return opened(S3Transport(bucket, wanted, name, options, patience), patience)
