"""What a page says of an image in a few lines.

In: an opened image. Out: labels and texts. Refuses: nothing: what the header's own errors hide is
left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from qcow_parsers import constants as c

from qcowspec.image import Image
from qcowspec.report.info import COMPRESSIONS, ENCRYPTIONS
from qcowspec.report.page import room
from qcowspec.report.words import plural, quoted, size
from qcowspec.spec.metadata import Format, Reference
from qcowspec.spec.units import whole_sectors

FLAGS = {
    "has_dirty": "refcounts may be wrong (dirty)",
    "has_corrupt": "structures may be wrong (corrupt)",
    "has_lazy_refcounts": "lazy refcounts",
    "has_extended_l2": "subclusters (extended L2 entries)",
    "has_data_file_raw": "the data file is a raw image too",
}
"""Feature bits that people ask for, by the parser's names."""


def facts(image: Image) -> Iterator[tuple[str, str]]:
    """Labels and texts, the most telling first."""
    header, source = image.header, image.source
    yield "Virtual size", exact_size(whole_sectors(header.size))
    yield "File", exact_size(source.length)
    allocated = source.allocated()
    if allocated is not None:
        yield "Room on its disk", exact_size(allocated)
    yield "Format", f"{image.format}, version {header.version}"
    geometry = image.metadata.geometry
    if geometry is not None:
        yield "Clusters", size(geometry.cluster_size)
        if image.format is Format.QCOW2:
            bits = image.metadata.qcow2_header.refcount_bits
            if bits:  # the header's field is in range
                yield "Refcounts", plural(bits, "bit")
    if image.format is Format.QCOW2:
        number = int(image.metadata.qcow2_header.effective_compression_type)
        yield "Compression", COMPRESSIONS.get(number, f"unknown ({number})")
    method = int(header.crypt_method)
    if method != c.QcowCryptMethod.QCOW_CRYPT_NONE:
        yield "Encryption", ENCRYPTIONS.get(method, f"unknown ({method})")
    if image.backing is not None and image.backing.name:
        yield "Backing file", _named(image.backing)
    if image.data_file is not None:
        yield "Data file", _named(image.data_file)
    elif image.has_data_file:
        yield "Data file", "has one, without a name"
    if len(image.snapshots):
        yield "Snapshots", f"{len(image.snapshots):,}"
    if len(image.bitmaps):
        yield "Bitmaps", f"{len(image.bitmaps):,}"
    flags = [words for name, words in FLAGS.items() if getattr(header, name, False)]
    if flags:
        yield "Features", ", ".join(flags)


def _named(reference: Reference) -> str:
    name = room.short(quoted(reference.name))
    if not reference.format:
        return f"{name} (not opened)"
    return f"{name} ({room.short(quoted(reference.format), 24)}, not opened)"


def exact_size(count: int) -> str:
    """A size in both: ``64 KiB (65,536 bytes)``."""
    if count < 1 << 10:
        return plural(count, "byte")
    return f"{size(count)} ({plural(count, 'byte')})"
