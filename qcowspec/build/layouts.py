"""The Construct schemas by the names of their layouts, such as ``qcow2::header``.

In: a layout's name, its parameters as the ``.ksy`` has them, and values for its fields. Out: the
schema, or bytes. Refuses: values that the schema cannot write, as `Invalid`; errors of Construct
are translated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import qcow_schemas as schemas
from construct import ConstructError
from qcow_schemas import Schema

from qcowspec.errors import Invalid

Argument = int | bool

PLAIN: Mapping[str, Schema] = MappingProxyType(
    {
        "qcow::probe": schemas.probe,
        "qcow1::header": schemas.qcow1_header,
        "qcow1::l1_entry": schemas.qcow1_l1_entry,
        "qcow2::header": schemas.qcow2_header,
        "qcow2::additional_fields": schemas.additional_fields,
        "qcow2::header_extensions": schemas.header_extensions,
        "qcow2::header_extension": schemas.header_extension,
        "qcow2::backing_format": schemas.backing_format_extension,
        "qcow2::data_file": schemas.data_file_extension,
        "qcow2::feature_name_table": schemas.feature_name_table,
        "qcow2::feature_name_entry": schemas.feature_name_entry,
        "qcow2::bitmaps_extension": schemas.bitmaps_extension,
        "qcow2::crypto_extension": schemas.crypto_extension,
        "qcow2::l1_entry": schemas.l1_entry,
        "qcow2::refcount_table_entry": schemas.refcount_table_entry,
        "qcow2::snapshot": schemas.snapshot,
        "qcow2::snapshot_extra_data": schemas.snapshot_extra_data,
        "qcow2::bitmap_table_entry": schemas.bitmap_table_entry,
        "luks1::header": schemas.luks1_header,
        "luks1::key_slot": schemas.luks1_key_slot,
    }
)
"""Layouts without parameters."""

WITH_PARAMETERS: Mapping[str, Callable[..., Schema]] = MappingProxyType(
    {
        "qcow1::l2_entry": schemas.qcow1_l2_entry,
        "qcow2::l2_entry": schemas.l2_entry,
        # Construct needs the number of entries; Kaitai counts what it is given.
        "qcow2::refcount_block": schemas.refcount_block,
        "qcow2::snapshot_table": schemas.snapshot_table,
        # The .ksy takes fields of the header for its rules alone: nothing else depends on them.
        "qcow2::bitmap_directory": lambda count, bits, size=0: schemas.bitmap_directory(count),
        "qcow2::bitmap_directory_entry": lambda bits, size=0: schemas.bitmap_directory_entry,
    }
)
"""Layouts with parameters."""

LAYOUTS: tuple[str, ...] = (*PLAIN, *WITH_PARAMETERS)
"""Every layout that can be built."""


@cache
def schema(layout: str, *arguments: Argument) -> Schema:
    """The Construct schema of a layout.

    Args:
        layout: Its name, such as ``qcow2::l2_entry``.
        arguments: Its parameters, as in the ``.ksy``; a refcount block takes the number of its
            entries besides.

    Raises:
        ValueError: There is no such layout, or it takes other parameters.
        Invalid: No structure has these parameters.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"there is no schema of {layout!r}")
    if layout in PLAIN:
        if arguments:
            raise ValueError(f"{layout} takes no parameters, and got {arguments}")
        return PLAIN[layout]
    try:
        return WITH_PARAMETERS[layout](*arguments)
    except TypeError as error:
        raise ValueError(f"{layout} does not take the parameters {arguments}") from error
    except ConstructError as error:
        raise _refused(layout, error) from error


def structure(layout: str, fields: Mapping[str, Any], *arguments: Argument) -> bytes:
    """The bytes of one structure.

    A field that is left out is derived from the others where the format says how, and zero where
    there is a natural zero; one that is given is written as it is, right or wrong.

    Args:
        layout: Its name, such as ``qcow2::header``.
        fields: Values by field name: numbers, bytes, mappings, lists of mappings.
        arguments: The layout's parameters, as in the ``.ksy``, such as cluster_bits.

    Raises:
        ValueError: There is no such layout, or it takes other parameters.
        Invalid: A value does not fit its field, or one is missing.
    """
    if layout == "qcow2::refcount_block":
        arguments = (*arguments, len(fields["entries"]))
    try:
        return schema(layout, *arguments).build(fields)
    except ConstructError as error:
        raise _refused(layout, error) from error


def _refused(layout: str, error: ConstructError) -> Invalid:
    reason = str(error).strip().rpartition("\n")[2]
    _, number, given = reason.partition("given value ")
    if number:  # Construct names the format of `struct` here, which means nothing in a spec
        reason = f"{given[:SHOWN]} does not fit its field"
    path = str(getattr(error, "path", None) or "").rpartition("-> ")[2]
    if path and path != BUILDING:
        reason = f"{path}: {reason}"
    return Invalid(f"{layout} cannot be built: {reason[:LONGEST]}", stage="build", field=layout)


BUILDING = "(building)"
"""What Construct calls the whole structure."""

SHOWN, LONGEST = 40, 300
"""Characters of a wrong value, and of a reason, that a message has."""
