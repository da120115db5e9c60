"""HEADER: the fixed part of the image, and the geometry that follows from it.

In: the first bytes of the file. Out: `Metadata.header` and `Metadata.geometry`, and a finding for
every rule that the header alone can break. Refuses: nothing by itself; without a cluster size
nothing further can be located.

Source: docs/interop/qcow2, Header; block/qcow.c: qcow_open; block/qcow2.c: qcow2_do_open.
"""

from __future__ import annotations

from qcow_parsers import Qcow1, Qcow2
from qcow_parsers import constants as c

from qcowspec.reader.needs import Reading, Window
from qcowspec.spec.metadata import Format, Metadata
from qcowspec.spec.named import HeaderV1, HeaderV2, HeaderV3
from qcowspec.spec.rules import Judge
from qcowspec.spec.structures import Part
from qcowspec.spec.units import Geometry, HostOffset


def read(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the header; False where what follows cannot be located."""
    if image.format is Format.QCOW:
        return (yield from _read_v1(image, window, judge))
    return (yield from _read_v2(image, window, judge))


def _read_v1(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    data = yield from window.read_zero_filled(0, c.QCOW1_HEADER_SIZE)
    part = Part("header", Qcow1.Header, HostOffset(0), data)
    header = Part("header", HeaderV1, HostOffset(0), data).parse()
    image.header, image.header_part = header, part
    judge.header()
    image.geometry = geometry_of(header) if header.ok_magic else None
    return image.geometry is not None


def _read_v2(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    data = yield from window.read_zero_filled(0, c.QCOW2_HEADER_SIZE)
    part = Part("header", Qcow2.Header, HostOffset(0), data)
    header = part.parse()
    length = min(header.effective_header_length, header.cluster_size or len(data))
    if length > len(data):  # fields that are younger than this specification
        data = yield from window.read_zero_filled(0, length)
        header = Part("header", Qcow2.Header, HostOffset(0), data).parse()
    length = max(length, header_minimum(header.version))
    part = Part("header", Qcow2.Header, HostOffset(0), data[:length])
    kind: type[HeaderV2 | HeaderV3] = HeaderV2 if header.version < 3 else HeaderV3
    image.header = header = Part("header", kind, HostOffset(0), data).parse()
    image.header_part = part
    judge.header()
    _judge_additional_fields(part, header, judge)
    # A wrong header_length leaves the tables where they are: only the extensions are lost.
    is_known = header.ok_magic and (header.ok_unknown_incompatible or image.salvage)
    image.geometry = geometry_of(header) if is_known else None
    return image.geometry is not None


def geometry_of(header: Qcow1.Header | Qcow2.Header) -> Geometry | None:
    """The sizes that follow from a header; None if its version or one of them breaks a rule."""
    if not (header.ok_version and header.ok_cluster_bits):
        return None
    if isinstance(header, Qcow1.Header):
        if not header.ok_l2_bits:
            return None
        entry_size, order = c.L2E_SIZE_NORMAL, 0
    else:
        if not header.ok_subcluster_size:
            return None
        entry_size, order = header.l2_entry_size, header.effective_refcount_order
    return Geometry(
        version=header.version,
        cluster_bits=header.cluster_bits,
        l2_bits=header.l2_bits,
        l2_entry_size=entry_size,
        refcount_order=order,
    )


def _judge_additional_fields(whole: Part[Qcow2.Header], header: Qcow2.Header, judge: Judge) -> None:
    fields = header.additional_fields
    if fields is not None:
        start = c.QCOW2_V3_MIN_HEADER_LENGTH
        name, layout = "header.additional_fields", Qcow2.AdditionalFields
        judge(Part(name, layout, HostOffset(start), whole.data[start:]), fields)


def header_minimum(version: int) -> int:
    """Bytes that a header of this version has at least, whatever it says of itself."""
    return c.QCOW2_V2_HEADER_LENGTH if version < 3 else c.QCOW2_V3_MIN_HEADER_LENGTH
