"""Which second files may be opened.

In: the name an image gives for its backing or data file. Out: the path to open, or `Refused`.
Refuses: everything, unless the user allows it.

An image never opens a file: it asks the gate. An uploaded image that names a file of the server is
the attack of CVE-2024-32498, so the default is `Deny`, in the library and in every command.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from qcowspec.errors import Refused, Unreadable, name_of, reason_of

if TYPE_CHECKING:
    from qcowspec.sources.locations import Place


@runtime_checkable
class Gate(Protocol):
    """Decides whether an image may have another file opened."""

    def admit(self, image: str, name: bytes, purpose: str) -> str:
        """Return the path to open, without symbolic links, or refuse.

        Args:
            image: The image that asks, as the user named it.
            name: The name that stands in the image, verbatim; made absolute where the image, a
                backing file itself, was reached through a link, beside which QEMU looks.
            purpose: What the file is to the image: ``backing file`` or ``data file``.

        Raises:
            Refused: The user has not allowed this file.
        """
        ...


class Deny:
    """The gate that refuses every file."""

    def admit(self, image: str, name: bytes, purpose: str) -> str:
        """Refuse; the error names the file, and what would allow it."""
        if _there(image, name) is None:
            _path(image, name, purpose)  # refuses what no gate lets pass
        reason = "which is not opened unless you allow it"
        raise _refused(image, name, purpose, reason, "same-dir", "DIR", ANY)


class Allow:
    """The gate that admits the places that the user allows.

    A name is looked up as QEMU does it: beside the image that names it, unless it is absolute.
    Links and ``..`` are followed first; what counts is where the file really is. An image on a
    server names files on that server, relative to its URL; a local file only by an absolute path.

    Attributes:
        places: What the user allows.
    """

    def __init__(self, places: Iterable[str]) -> None:
        """Set what may be opened.

        Args:
            places: ``same-dir`` for files in the directory of the image that names them, as the
                image is named, were it a link; ``any`` for all on the same machine or server, and
                for an image on a server those of this machine too; directories, or URLs of them,
                for all that is in them or below. The directories that lead to the image, and to
                a place, are trusted.
        """
        self.places = tuple(map(_place, places))

    def admit(self, image: str, name: bytes, purpose: str) -> str:
        """See `Gate.admit`.

        Raises:
            Refused: The file is outside of what is allowed, or is not a file on this machine.
        """
        there = _there(image, name)
        if there is not None:
            return self._on_server(there, image, name, purpose)
        path = _path(image, name, purpose)
        try:
            # Even `realpath` fails where a link on the way is swapped for a file meanwhile.
            real = os.path.realpath(path)
            if not any(_is_within(real, image, place) for place in self.places):
                reason = f"which is {real!r}, outside of what you allow"
                raise _refused(image, name, purpose, reason, os.path.dirname(real), ANY)
            mode = os.stat(real).st_mode
        except OSError as error:
            shown = f"the {purpose} {name_of(name)}"
            raise Unreadable(
                f"names {shown}, which cannot be opened: {reason_of(error)}", path=image
            ) from error
        if stat.S_ISBLK(mode) and ANY not in self.places:
            raise _refused(image, name, purpose, "which is a block device", ANY)
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            raise _refused(image, name, purpose, "which is not a regular file")
        return real

    def _on_server(self, there: Place, image: str, name: bytes, purpose: str) -> str:
        """The URL of a file on a server, where it is allowed."""
        if not any(_is_within_url(there, image, place) for place in self.places):
            helps = ["URL"] if ANY in self.places else ["URL", ANY]
            reason = f"which is {there}, outside of what you allow"
            raise _refused(image, name, purpose, reason, *helps)
        return str(there)


SAME_DIR, ANY = "same-dir", "any"


def gate_of(allow: str | Iterable[str] | Gate | None) -> Gate:
    """The gate for what a user allows: nothing, a place, several places, or a `Gate`."""
    if allow is None:
        return Deny()
    if isinstance(allow, str):
        return Allow([allow])
    if isinstance(allow, Gate):
        return allow
    places = tuple(allow) if isinstance(allow, Iterable) else (allow,)
    for each in places:
        if not isinstance(each, (str, os.PathLike)):
            kind = type(each).__name__
            raise TypeError(f"allow is text, several, or an object with `admit`, not {kind}")
    return Allow(places) if places else Deny()


PROTOCOL = re.compile(rb"[^/]*?:")
"""How a name begins that QEMU's block layer takes for a protocol (block.c: path_has_protocol)."""


def _path(image: str, name: bytes, purpose: str) -> str:
    """The path that a name stands for, beside the image unless it is absolute."""
    plain = _plain(name)
    if plain is None or b"\0" in plain or not plain:
        raise _refused(image, name, purpose, "which is not a file on this machine")
    if is_url(image) and not plain.startswith(b"/"):
        raise _refused(image, name, purpose, "which is not a file on the image's server")
    return os.path.join(os.path.dirname(image), os.fsdecode(plain))


def looked_up(image: str, name: bytes) -> str | None:
    """Where a name is looked for, links not followed; None where that is not on this machine.

    Args:
        image: The image that has the name, as it was named itself, links not followed.
        name: The name, verbatim.
    """
    plain = _plain(name)
    if plain is None or not plain or is_url(image):
        return None
    return plain_path(os.path.join(os.path.dirname(image), os.fsdecode(plain)))


def seen_from(opened: str, image: str, name: bytes) -> bytes:
    """A name as the gate is to be asked for it, where the image was reached through a link.

    QEMU looks beside the link, and not where the link leads; the gate is given the real place of
    the image, which is what counts.

    Args:
        opened: The image that has the name, as it was opened.
        image: The same, as it was named, links not followed.
        name: The name, verbatim.
    """
    if os.path.dirname(opened) == os.path.dirname(image) or name.startswith(JSON):
        return name
    path = looked_up(image, name)
    if path is None or b"\0" in name:
        return name
    here = "" if os.path.isabs(path) else os.getcwd()
    return os.fsencode(os.path.join(here, path))  # not `abspath`: ".." after a link is elsewhere


def is_url(name: str) -> bool:
    """Whether an image's name, as it is shown, is a URL or a chain of URLs, and no path."""
    return URL.match(name) is not None


def plain_path(name: str) -> str:
    """A path that cannot be taken for a URL: ``./`` is put before one that looks like a URL."""
    return f"./{name}" if is_url(name) else name


URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?:://|::)")


def _there(image: str, name: bytes) -> Place | None:
    """The place on a server that a name refers to; None if it refers to none."""
    if name.startswith((JSON, FILE)) or not (is_url(image) or b"://" in name):
        return None
    from qcowspec.sources.locations import beside

    try:
        return beside(image, name.decode())
    except UnicodeDecodeError:
        return None


def _plain(name: bytes) -> bytes | None:
    """The file name in a name; None where it is for another protocol than plain files."""
    if name.startswith(JSON):
        found = _in_json(name)
        return None if found is None else found[0]
    if name.startswith(FILE):
        return name.removeprefix(FILE)
    return None if PROTOCOL.match(name) else name


JSON, FILE = b"json:", b"file:"
DEPTH = 4
"""Drivers on top of one another in a ``json:`` name: a format and a file are two."""


def stated_driver(name: bytes) -> str | None:
    """The driver that a ``json:`` name states; None where it states none, and of other names.

    Returns:
        ``qcow``, ``qcow2`` or ``raw``; `PLAIN` where no format stands on top of the file: QEMU then
        reads it as it is, and fails if the image states a format as well.
    """
    found = _in_json(name) if name.startswith(JSON) else None
    return None if found is None else found[1]


def _in_json(name: bytes) -> tuple[bytes, str | None] | None:
    """The file and the driver in a ``json:`` name of a QCOW or raw image in a plain file.

    None for a name with any other option: a raw image may begin anywhere in its file, and a QCOW
    image may be given other files than it names.
    """
    import json

    try:
        top: Any = json.loads(name.removeprefix(JSON), object_pairs_hook=unique_keys)
        node = top
        if _driver(node) in (None, *FORMATS):
            node = _below(node)
            for _ in range(DEPTH):
                if _driver(node) == RAW:  # raw on raw is raw
                    node = _below(node)
        if _driver(node) not in (None, PLAIN) or not _has_only(node, "driver", "filename"):
            return None
        filename = node.get("filename")
        if not isinstance(filename, str) or PROTOCOL.match(filename.encode()):
            return None
        return filename.encode(), _driver(top)
    except (ValueError, RecursionError):
        return None


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, none of whose keys is repeated; QEMU refuses others."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _driver(node: Any) -> Any:
    """The driver of a node; an unknown one for what is not a node."""
    return node.get("driver") if isinstance(node, dict) else node


def _below(node: dict[str, Any]) -> Any:
    """The node below a format; its keys may be written into it, as in ``file.filename``."""
    if not _has_only(node, "driver", "file"):
        raise ValueError("an option that is not known here")
    dotted = {key.removeprefix("file."): node[key] for key in node if key.startswith("file.")}
    if dotted and "file" in node:
        raise ValueError("the node below is given twice")
    return dotted or node.get("file", "")


def _has_only(node: Any, *keys: str) -> bool:
    """Whether a node has only these keys, and options for how its file is accessed."""
    known = {*keys, *ACCESS}
    return isinstance(node, dict) and all(key.partition(".")[0] in known for key in node)


FORMATS = ("qcow", "qcow2", "raw")
RAW, PLAIN = "raw", "file"
ACCESS = frozenset(
    {
        "aio",
        "auto-read-only",
        "cache",
        "detect-zeroes",
        "discard",
        "force-share",
        "locking",
        "node-name",
        "read-only",
    }
)
"""Options that change no byte of what is read."""


def _is_within(real: str, image: str, place: str) -> bool:
    """Whether a file, by where it really is, lies in a place that the user allows."""
    if place == ANY:
        return True
    if place == SAME_DIR:
        if is_url(image):
            return False
        # Not the directory that the image really is in: anybody who may write to that one could
        # put a link in its place. The path of the directory itself is trusted.
        return os.path.dirname(real) == os.path.realpath(os.path.dirname(image))
    if is_url(place):
        return False
    folder = os.path.realpath(place)
    return os.path.commonpath([real, folder]) == folder


def _is_within_url(there: Place, image: str, place: str) -> bool:
    """Whether a file on a server lies in a place that the user allows."""
    from qcowspec.sources.locations import on_server

    here = on_server(image)
    if place in (ANY, SAME_DIR):
        if here is None or here.server != there.server:
            return False
        return place == ANY or here.folder == there.folder
    folder = on_server(place)
    if folder is None or folder.server != there.server:
        return False
    return there.path.startswith(folder.path.rstrip("/") + "/")


def _place(name: str) -> str:
    """A place that is allowed; a directory that exists is one, whatever its name looks like."""
    return plain_path(name) if is_url(name) and os.path.isdir(name) else name


def _refused(image: str, name: bytes, purpose: str, reason: str, *helps: str) -> Refused:
    """The refusal of a name.

    Args:
        image: The image that asks.
        name: The name.
        purpose: What the file is to the image.
        reason: Why it is not opened.
        helps: Values of ``--allow`` that would admit it; none if nothing would.
    """
    import shlex

    options = [f"--allow {shlex.quote(place)}" for place in helps]
    listed = " or ".join(filter(None, [", ".join(options[:-1]), *options[-1:]]))
    hint = f" ({listed})" if options else ""
    return Refused(f"names the {purpose} {name_of(name)}, {reason}{hint}", path=image)
