"""What was converted, into what, and what was left out: a receipt that can be checked later.

In: a disk that was read, and the file that was written. Out: a document for JSON, of
docs/receipt.schema.json. Refuses: a file that does not read back as the disk.

No time stands in it: equal work gives an equal receipt.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from qcowspec import __version__
from qcowspec.errors import Invalid, Unsupported
from qcowspec.guest import Disk
from qcowspec.guest.losses import Losses
from qcowspec.image import Image
from qcowspec.raw import RawImage
from qcowspec.reader.looked import HIDDEN  # which are looked at: see `besides`
from qcowspec.reader.verdict import validate
from qcowspec.report.besides import besides, text
from qcowspec.report.document import plain
from qcowspec.report.matrix import rules_sha256
from qcowspec.sources.gate import RAW, Gate
from qcowspec.sources.source import Source
from qcowspec.spec.profiles import full_name
from qcowspec.transfer.digests import Progress, of_disk, of_file, sha256_of

SCHEMA = "qcowspec.receipt/1"
"""Changes its number when a key changes its meaning or goes away; new keys may come."""

LARGEST = 16 << 40
"""Bytes of a disk that are summed up, at most: zeros take as long as data, hours for this many."""

PROFILES = ("qemu", "spec", "untrusted")
"""Whose verdicts stand in a receipt."""

Plain = dict[str, Any]


class Read(NamedTuple):
    """What was read.

    Attributes:
        image: The image that was opened.
        disk: Its disk, or a snapshot's; the VM state too is read from one.
        start: Offset of the first byte that was read.
        length: How many were read.
        gate: Decides which other files may be opened.
        shared: Whether other programs may write to the files meanwhile.
    """

    image: Image | RawImage
    disk: Disk
    start: int
    length: int
    gate: Gate
    shared: bool = False


class File(NamedTuple):
    """A file that has a part of the disk.

    Attributes:
        role: ``image``, ``data-file`` or ``backing-file``.
        name: How the user, or the image that needs it, calls it.
        format: ``qcow``, ``qcow2`` or ``raw``.
        source: Its bytes.
    """

    role: str
    name: str
    format: str
    source: Source


def check_length(length: int, name: str) -> None:
    """Refuse a disk that takes too long to sum up.

    Raises:
        Unsupported: It has more than `LARGEST` bytes.
    """
    if length > LARGEST:
        says = f"has a disk of {length} bytes; a receipt covers at most {LARGEST}"
        raise Unsupported(says, path=name)


def receipt(
    read: Read,
    result: Image | RawImage,
    name: str,
    *,
    options: Plain,
    losses: Losses,
    progress: Progress | None = None,
) -> Plain:
    """The receipt; both sides are read to their ends.

    Args:
        read: What was converted.
        result: The file that was written, opened again.
        name: Its name, as the user gave it.
        options: What was asked for.
        losses: The ranges of the disk that could not be read, or that lie past the end of a file.
        progress: Called with the number of bytes that were read since the last call.

    Raises:
        Invalid: The file does not read back as the disk.
        QcowError: Something cannot be read.
    """
    lost = {"bytes": losses.bytes, "ranges": len(losses) + losses.more}  # not those met again
    files = list(files_of(read.disk))
    written = result.disk()
    is_raw = isinstance(result, RawImage)
    parts = [of_file(each.source) for each in files]
    parts += [of_file(result.source), of_disk(read.disk, read.start, read.length)]
    if not is_raw:
        parts.append(of_disk(written))
    *digests, out_sha, source_disk, result_disk = sha256_of(parts, progress) + (
        [""] if is_raw else []
    )
    length = result.source.length if is_raw else written.size
    result_disk = out_sha if is_raw else result_disk  # all bytes of a raw file are the disk's
    if (read.length, source_disk) != (length, result_disk):
        says = (
            "does not read back as the disk that was written to it; it is kept, without a receipt"
        )
        raise Invalid(says, path=name)
    disk = {"length": length, "sha256": result_disk}
    made: Plain = {
        "schema": SCHEMA,
        "program": {"name": "qcowspec", "version": __version__},
        "rules": {"sha256": rules_sha256()},
        "options": options,
        "source": {
            "files": [_file(each, digest) for each, digest in zip(files, digests, strict=True)],
            "disk": disk,
            **_judged(read.image, "left_behind", read.gate),
        },
        "result": {
            "name": plain(os.fsencode(name)),
            "format": RAW if is_raw else str(result.format),  # type: ignore[union-attr]
            "length": result.source.length,
            "sha256": out_sha,
            "disk": disk,
            **_judged(result, "besides"),
        },
        "lost": lost,
        "not_looked_at": list(_unseen(read, files)),
    }
    if not read.shared:
        read.disk.check_unchanged()
    return made


def files_of(disk: Disk) -> Iterator[File]:
    """The files that have a disk, from the top."""
    named, role = disk.layers[0].source.name, "image"
    for layer in disk.layers:
        yield File(role, str(plain(os.fsencode(named))), layer.format, layer.source)
        metadata = layer.metadata
        if metadata is None:
            return
        if layer.data is not layer.source and metadata.data_file is not None:
            yield File("data-file", text(metadata.data_file.name), RAW, layer.data)
        if metadata.backing is not None:
            named, role = text(metadata.backing.name), "backing-file"


def verdicts(source: Source, format: str | None = None, gate: Gate | None = None) -> Plain:
    """Each profile's verdict on an image file.

    Raises:
        Unreadable: It cannot be read.
    """
    found: Plain = {}
    for profile in PROFILES:
        verdict = validate(source, profile=profile, format=format, allow=gate)
        found[profile] = {
            "profile": full_name(profile),
            "verdict": verdict.verdict,
            "judged": verdict.looked.judged,
            "errors": list(dict.fromkeys(each.rule for each in verdict.errors)),
            "warnings": list(dict.fromkeys(each.rule for each in verdict.warnings)),
            "not_looked_at": [each for each in verdict.looked.unseen if each != HIDDEN],
        }
    return found


def _file(file: File, digest: str) -> Plain:
    return {
        "role": file.role,
        "name": file.name,
        "format": file.format,
        "length": file.source.length,
        "sha256": digest,
    }


def _judged(image: Image | RawImage, key: str, gate: Gate | None = None) -> Plain:
    """The verdicts on an image file, and what it holds besides its disk; None of a raw file."""
    if isinstance(image, RawImage):
        return {"verdicts": None, key: None}
    return {"verdicts": verdicts(image.source, str(image.format), gate), key: besides(image)}


def _unseen(read: Read, files: list[File]) -> Iterator[str]:
    """What was not looked at, in a few words each."""
    if any(each.role == "backing-file" for each in files):
        yield "what the backing files hold besides the disk, and the rules on them"
    if any(each.role == "data-file" for each in files):
        yield "what the data file holds besides the disk"
    yield "the contents of the disk"
