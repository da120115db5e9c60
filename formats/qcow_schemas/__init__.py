"""QEMU's QCOW formats as Construct schemas: the second, independent notation; parses and builds.

In: the bytes of one structure, or a mapping from field names to values. Out: a
`construct.Container`, or the same bytes. Refused, with a `construct.ConstructError`: bytes that
end too early, values of the wrong type, fields that a structure does not have.

Each layout was written by hand from QEMU's document (docs/interop/qcow2.rst) and structs; magics
and versions are the rows' own (`qcow_parsers.constants`). A schema knows one structure, not the
image around it: what it needs from elsewhere are its arguments. `build(parse(x)) == x` for
everything that parses. No rule of the format is judged here: reserved bits, padding, unknown
fields and unknown extensions are kept as they are.
"""

from .luks1 import luks1_header, luks1_key_slot
from .notation import Schema
from .qcow import probe
from .qcow1 import qcow1_header, qcow1_l1_entry, qcow1_l2_entry
from .qcow2 import additional_fields, qcow2_header
from .qcow2_bitmaps import bitmap_directory, bitmap_directory_entry, bitmap_table_entry
from .qcow2_extensions import (
    backing_format_extension,
    bitmaps_extension,
    crypto_extension,
    data_file_extension,
    feature_name_entry,
    feature_name_table,
    header_extension,
    header_extensions,
)
from .qcow2_snapshots import snapshot, snapshot_extra_data, snapshot_table
from .qcow2_tables import (
    compressed_descriptor,
    l1_entry,
    l2_entry,
    refcount_block,
    refcount_table_entry,
    standard_descriptor,
)

__all__ = [
    "Schema",
    "additional_fields",
    "backing_format_extension",
    "bitmap_directory",
    "bitmap_directory_entry",
    "bitmap_table_entry",
    "bitmaps_extension",
    "compressed_descriptor",
    "crypto_extension",
    "data_file_extension",
    "feature_name_entry",
    "feature_name_table",
    "header_extension",
    "header_extensions",
    "l1_entry",
    "l2_entry",
    "luks1_header",
    "luks1_key_slot",
    "probe",
    "qcow1_header",
    "qcow1_l1_entry",
    "qcow1_l2_entry",
    "qcow2_header",
    "refcount_block",
    "refcount_table_entry",
    "snapshot",
    "snapshot_extra_data",
    "snapshot_table",
    "standard_descriptor",
]
