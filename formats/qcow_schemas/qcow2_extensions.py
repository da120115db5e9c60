"""QCOW versions 2 and 3: the header extensions.

In: the bytes of the extension area, which is between the end of the header (72 in version 2,
`header_length` in version 3) and the backing file's name or the end of the first cluster. Out:
the extensions as far as they are known, the others verbatim. Refused: an extension without its
8 bytes of type and length. The layout is that of the document's sections "Header extensions"
to "Full disk encryption header pointer".
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from construct import Construct, Int8ub, Int32ub, Int64ub, StreamError
from construct.core import stream_write
from qcow_parsers.constants import (
    QCOW2_EXT_MAGIC_BACKING_FORMAT,
    QCOW2_EXT_MAGIC_BITMAPS,
    QCOW2_EXT_MAGIC_CRYPTO_HEADER,
    QCOW2_EXT_MAGIC_DATA_FILE,
    QCOW2_EXT_MAGIC_END,
    QCOW2_EXT_MAGIC_FEATURE_TABLE,
)

from .notation import (
    BoundedBytes,
    FixedBytes,
    Layout,
    Repeated,
    Schema,
    as_bytes,
    default,
    read_up_to,
    zeros_to_8,
)

# Each layout takes its payload to the end; what the layout itself leaves over is `unparsed`.

# "String header extensions": the length is the string's, and nothing terminates it.
backing_format_extension: Schema = Layout("format" / BoundedBytes())
data_file_extension: Schema = Layout("data_file" / BoundedBytes())

# "Feature name table": struct Qcow2Feature in block/qcow2.h, 48 bytes.
feature_name_entry: Schema = Layout(
    "type" / Int8ub,  #          0;      0 incompatible, 1 compatible, 2 autoclear
    "bit" / Int8ub,  #           1
    "name" / FixedBytes(46),  #  2 - 47; filled up with zeros, which are kept
)
feature_name_table: Schema = Layout(
    "entries" / Repeated(feature_name_entry),
    "unparsed" / BoundedBytes(),
)

# "Bitmaps extension": struct Qcow2BitmapHeaderExt in block/qcow2.h, 24 bytes.
bitmaps_extension: Schema = Layout(
    "nb_bitmaps" / Int32ub,  #                  0 -  3
    "reserved32" / default(Int32ub, 0),  #      4 -  7
    "bitmap_directory_size" / Int64ub,  #       8 - 15
    "bitmap_directory_offset" / Int64ub,  #    16 - 23
    "unparsed" / BoundedBytes(),
)

# "Full disk encryption header pointer": struct Qcow2CryptoHeaderExtension, 16 bytes.
crypto_extension: Schema = Layout(
    "offset" / Int64ub,  #  0 -  7
    "length" / Int64ub,  #  8 - 15
    "unparsed" / BoundedBytes(),
)

_PAYLOADS: dict[int, Schema] = {
    QCOW2_EXT_MAGIC_BACKING_FORMAT: backing_format_extension,
    QCOW2_EXT_MAGIC_FEATURE_TABLE: feature_name_table,
    QCOW2_EXT_MAGIC_BITMAPS: bitmaps_extension,
    QCOW2_EXT_MAGIC_CRYPTO_HEADER: crypto_extension,
    QCOW2_EXT_MAGIC_DATA_FILE: data_file_extension,
}


class _Payload(Construct):  # type: ignore[misc]  # construct ships no types
    """The data of an extension: its layout by `magic`, or bytes.

    They are bytes where the type has no layout (END and the unknown ones) and where they are too
    short for it. Bytes can be given for every type, a mapping where there is a layout; nothing
    given is no bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flagbuildnone = True

    def _parse(self, stream: Any, context: Any, path: Any) -> Any:
        payload = read_up_to(stream, context.len, path)
        layout: Any = _PAYLOADS.get(context.magic)
        if layout is None:
            return payload
        try:
            return layout._parsereport(io.BytesIO(payload), context, path)
        except StreamError:
            return payload

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        payload = _payload(context.magic, obj, path)
        stream_write(stream, payload, len(payload), path)
        return payload


def _payload(magic: int, data: Any, path: Any = None) -> bytes:
    if data is None:
        return b""
    layout = _PAYLOADS.get(magic)
    if layout is None or not isinstance(data, Mapping):
        return as_bytes(data, path)
    return layout.build(data)


# "Header extensions". The length excludes the padding, which rounds the size up to 8 and may hold
# anything ("nor is there a guarantee that zero bytes are used"). It is derived from the data that
# are built; a length that is given is not obeyed, only written.
header_extension: Schema = Layout(
    "magic" / Int32ub,  #                                                             0 - 3
    "len" / default(Int32ub, lambda c: len(_payload(c.magic, c.get("data")))),  #       4 - 7
    "data" / _Payload(),  #                                                           8 - n
    "padding" / BoundedBytes(lambda c: -c.len % 8, lambda c: zeros_to_8(len(c.data))),  # n - m
)

# Everything up to the stream's end: extensions up to and with END, or while there are 8 bytes;
# the rest is `unparsed`. Building adds no END of its own. `max_entries` bounds the work.
header_extensions: Schema = Layout(
    "entries"
    / Repeated(header_extension, last=lambda extension: extension.magic == QCOW2_EXT_MAGIC_END),
    "unparsed" / BoundedBytes(),
)
