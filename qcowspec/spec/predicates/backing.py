"""The rules about the names of other files."""

from __future__ import annotations

from typing import Any

from qcow_parsers import Qcow2

from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.structures import Part, Place


@decides("backing/data-file-name", reads="the extensions")
def data_file_name(header: Qcow2.Header, image: Metadata) -> bool:
    """An image with a data file names it."""
    return not header.has_data_file or image.data_file is not None


@decides("backing/data-file-name-length", reads="the header")
def data_file_name_length(data: Qcow2.DataFile, image: Metadata) -> bool:
    """The name of a data file is not empty."""
    return bool(data.data_file.partition(b"\0")[0]) or not image.qcow2_header.has_data_file


@decides("backing/data-file-found", reads="the extensions")
def data_file_found(header: Qcow2.Header, image: Metadata) -> bool:
    """There is no data file with a name: no other file is opened while an image is judged."""
    return not (header.has_data_file and image.data_file and image.data_file.name)


@states("backing/data-file-found")
def named_data_file(header: Qcow2.Header, image: Metadata) -> bytes | None:
    """The data file's name."""
    return image.data_file and image.data_file.name


@decides("backing/untrusted-format", reads="the extensions")
def untrusted_format(backing: Qcow2.BackingFileName, image: Metadata) -> bool:
    """The backing file's format is given, so that nobody has to guess."""
    return not backing.name.partition(b"\0")[0] or bool(image.backing_format)


@places("backing/untrusted-protocol", "backing/v1-untrusted-protocol", "backing/untrusted-format")
def name(part: Part[Any], backing: object, image: Metadata) -> Place:
    """The name itself, which a dump shows as one field."""
    return Place(part.offset, part.name, part.data)
