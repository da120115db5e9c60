"""librbd's source specs: where an image is, and in which format, as JSON.

In: a JSON object. Out: a `Source`, and the format that it states. Refuses: keys, types and values
that are not known, by name; and what needs a Ceph cluster.

Source: Ceph, doc/rbd/rbd-live-migration.rst; src/librbd/migration: SourceSpecBuilder, FileStream,
HttpStream, S3Stream. A stream may stand without a format around it: then the probe decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from qcowspec.errors import SPEC, Invalid, QcowError, Unreadable, Unsupported
from qcowspec.sources.gate import unique_keys
from qcowspec.sources.locations import HTTP
from qcowspec.sources.source import Source

NAME = "source spec"
"""The name of a spec in messages: its text may hold secrets."""

LARGEST = 1 << 20
"""Bytes of a spec, at most."""

STREAMS: Mapping[str, tuple[str, ...]] = {
    "file": ("file_path",),
    "http": ("url",),
    "s3": ("url", "access_key", "secret_key"),
}
"""The keys of each type of stream; all are required."""

RAW = "raw"
FORMATS = ("qcow", RAW)
CLUSTER = ("native",)
"""Formats that are read; and types that need a cluster."""

CONFIG = "config://"
"""How a value begins that is kept in a cluster's configuration."""


class Spec(dict[str, Any]):
    """A source spec, whose `repr` shows no secret."""

    def __repr__(self) -> str:
        return f"<{NAME}>"


def parsed(text: str) -> Mapping[str, Any]:
    """A spec from its JSON text, with or without ``json:`` in front.

    Raises:
        Invalid: It is no JSON object.
    """
    if len(text) > LARGEST:
        raise Invalid(f"has more than {LARGEST} characters", path=NAME)
    where, found = "", None
    try:
        found = json.loads(text.removeprefix(SPEC), object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:  # whose message quotes nothing of the spec
        where = f": {error.msg.lower()} at character {error.pos}"
    except RecursionError:
        where = ": it is nested too deep"
    except ValueError as error:
        where = f": {error}"
    if not isinstance(found, dict):
        raise Invalid(f"is no JSON object{where}", path=NAME)
    return Spec(found)


def stated_format(spec: Mapping[str, Any]) -> str | None:
    """``qcow`` or ``raw``; None where the spec is a stream alone."""
    kind = spec.get("type")
    return kind if kind in FORMATS else None


def open_spec(spec: Mapping[str, Any], *, raw: bool = False) -> Source:
    """Open what a spec describes.

    Args:
        spec: The spec.
        raw: Whether the format may be ``raw``.

    Raises:
        Invalid: A key, type or value is not known, or missing.
        Unsupported: It needs a Ceph cluster, or another server that is not read here; or it says
            that the image is raw, where structures are wanted.
        Unreadable: The image cannot be read.
    """
    stream = spec
    kind = _kind(spec, "", (*FORMATS, *CLUSTER, *STREAMS, *OTHERS))
    if kind in CLUSTER:
        raise _cluster("type", kind)
    if kind in FORMATS:
        if spec.get("snapshots", []) != []:
            text = (
                "has the key 'snapshots': librbd reads an rbd snapshot from each; that needs a Ceph"
            )
            raise Unsupported(f"{text} cluster", field="snapshots", path=NAME)
        _check_keys(spec, ("type", "stream"), "")
        stream = spec["stream"]
        if not isinstance(stream, Mapping):
            raise Invalid("has a stream that is no JSON object", field="stream", path=NAME)
        if kind == RAW and not raw:
            raise Unsupported("says that the image is raw: it has no structures", path=NAME)
        return _open_stream(stream, "stream.")
    return _open_stream(stream, "")


OTHERS = ("nbd",)
"""Streams that librbd reads, and we do not."""


def _open_stream(stream: Mapping[str, Any], place: str) -> Source:
    kind = _kind(stream, place, (*STREAMS, *OTHERS))
    if kind in OTHERS:
        raise Unsupported(
            f"has the {place}type {kind!r}, which is not read here", field=f"{place}type", path=NAME
        )
    _check_keys(stream, ("type", *STREAMS[kind]), place)
    values = {key: _text(stream, key, place) for key in STREAMS[kind]}
    if kind == "file":
        from qcowspec.sources.local import LocalFile

        return LocalFile(values["file_path"])
    url = values["url"]
    if url.partition("://")[0].lower() not in HTTP or "://" not in url:
        raise _invalid(
            f"has a {place}url that begins with neither http:// nor https://", place, "url"
        )
    if kind == "http":
        from qcowspec.sources.remote import open_http

        return open_http(url)
    from qcowspec.sources.s3 import open_s3_url

    return open_s3_url(url, values["access_key"], values["secret_key"])


def _kind(spec: Mapping[str, Any], place: str, known: tuple[str, ...]) -> str:
    """The type that a spec states."""
    if "type" not in spec:
        raise _invalid(f"lacks the key '{place}type'", place, "type")
    kind = spec["type"]
    if not isinstance(kind, str) or kind not in known:
        shown = repr(kind)[:80] if isinstance(kind, str) else type(kind).__name__
        raise _invalid(f"has the {place}type {shown}; known are {', '.join(known)}", place, "type")
    return kind


def _check_keys(spec: Mapping[str, Any], wanted: tuple[str, ...], place: str) -> None:
    for key in spec:
        if key not in wanted and key != "snapshots":
            unknown = f"has the unknown key {place + str(key)[:80]!r}"
            raise _invalid(f"{unknown}; known are {', '.join(wanted)}", place, key)
    for key in wanted:
        if key not in spec:
            raise _invalid(f"lacks the key {place + key!r}", place, key)


def _text(spec: Mapping[str, Any], key: str, place: str) -> str:
    value = spec[key]
    if not isinstance(value, str) or not value:
        raise _invalid(f"has a {place}{key} that is no text, or an empty one", place, key)
    if value.startswith(CONFIG):
        raise _cluster(f"{place}{key}", CONFIG)
    return value


def _invalid(message: str, place: str, key: str) -> QcowError:
    return Invalid(message, field=f"{place}{key}", path=NAME)


def _cluster(key: str, value: str) -> QcowError:
    return Unsupported(f"has the {key} {value!r}, which needs a Ceph cluster", field=key, path=NAME)


def read_spec(path: str) -> Mapping[str, Any]:
    """The spec in a file.

    Raises:
        Unreadable: It cannot be read, or is no UTF-8.
        Invalid: It is too large, or no JSON object.
    """
    from qcowspec.sources.local import LocalFile

    source = LocalFile(path)
    try:
        if source.length > LARGEST:
            raise Invalid(f"has more than {LARGEST} bytes, and is no source spec", path=path)
        data = source.read_at(0, LARGEST)
    finally:
        source.close()
    text = None
    with suppress(UnicodeDecodeError):  # which holds the whole text
        text = data.decode()
    if text is None:
        raise Unreadable("is no UTF-8, and no source spec", path=path)
    return parsed(text)
