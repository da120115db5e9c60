"""Build specs: a dump, a short description, or the name of an image and a patch.

In: YAML or JSON. Out: `Pieces` of an image, and of its data file. Refuses, as `Invalid`, with the
path of the key: a spec of another kind, and values that cannot be written.

The third kind is how a campaign keeps its findings: ``base`` is the name of a base of the
test vectors, or ``{file: PATH}``, or a short description; ``patch`` is a list of the operations of
`qcowspec.fuzzing.patches`. A short description may have a ``patch`` too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qcowspec.build import documents, wording
from qcowspec.build.assembly import data_file, image
from qcowspec.build.description import ImageSpec
from qcowspec.build.pieces import Chunk, Pieces, solid
from qcowspec.build.short import image_spec
from qcowspec.build.wording import wrong
from qcowspec.errors import Invalid
from qcowspec.sources.source import Source

LARGEST_SPEC = 64 << 20
"""Bytes of a spec, at most."""

MOST_OPERATIONS = 1 << 16
MOST_PATCHED = 1 << 33
"""Operations of a patch, at most, repeated ones counted each time; and bytes of the image, summed
over the operations, at most."""

STEP = 1 << 20
"""Bytes of the original that are copied at a time."""

Reader = Callable[[str], bytes]
"""Reads a whole image, by its path."""


@dataclass
class Made:
    """An image made from a spec, and its external data file.

    Attributes:
        data_file: Pieces of the data file by offset; None if the spec describes none.
        data_size: Bytes of that file.
    """

    pieces: Pieces
    data_file: Mapping[int, bytes] | None = None
    data_size: int = 0
    from_dump: bool = False


def parsed(text: bytes) -> Any:
    """Parse a spec in YAML or JSON.

    Raises:
        Invalid: It is neither, or is too large.
    """
    if len(text) > LARGEST_SPEC:
        raise wrong("", f"the spec has {len(text)} bytes; {LARGEST_SPEC} are the most")
    try:
        if text.lstrip()[:1] in (b"{", b"["):
            try:
                return json.loads(text)
            except ValueError:  # YAML has such braces too
                if len(text) > MOST_FLOW:
                    raise
        return _yaml(text)
    except RecursionError as error:
        raise wrong("", "the spec has too many levels") from error
    except ValueError as error:
        raise wrong("", f"the spec is neither YAML nor JSON: {_in_a_line(error)}") from error


MOST_FLOW = 1 << 20
"""Bytes up to which text in braces that is not JSON is tried as YAML, which is slow."""


def _yaml(text: bytes) -> Any:
    import yaml  # takes 20 ms, which JSON does not need

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    # A merge key (`<<`) copies its alias while the text is read, so that a hundred bytes can take
    # forever: it stays a key, which is then refused as unknown.
    loader = type("Loader", (base,), {"flatten_mapping": lambda self, node: None})
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506 - it is one of the safe loaders
    except yaml.YAMLError as error:
        raise ValueError(error) from error


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def made(spec: object, *, read: Reader | None = None, has_original: bool = False) -> Made:
    """The image that a spec describes.

    Args:
        spec: The parsed spec.
        read: Reads the image that ``base: {file: PATH}`` names; None if that is not allowed.
        has_original: Whether bytes that a dump does not cover come from another image.

    Raises:
        Invalid: The spec is invalid, or describes what cannot be written.
        QcowError: The image that it names cannot be read.
    """
    wording.bounded(spec)
    said = wording.mapping(spec, "")
    if documents.is_document(said):
        return Made(documents.pieces(said, has_original=has_original), from_dump=True)
    described: ImageSpec | None = None
    if "base" in said:
        wording.mapping(said, "", ("base", "patch"))
        data, described = _base(said["base"], read)
    else:
        described = image_spec({key: item for key, item in said.items() if key != "patch"})
        data = _image(described)
    if "patch" in said:
        data = _patched(data, said["patch"], _format(described))
    pieces = Pieces(len(data))
    for offset, chunk in solid(0, data):
        pieces.add(offset, chunk, "")
    if described is None or described.data_file is None:
        return Made(pieces)
    return Made(pieces, data_file(described), described.size)


def copied_from(original: Source) -> Callable[[int, int], Iterator[Chunk]]:
    """Reads ranges of the image that a dump was made of, for `Pieces.written`; skips its holes."""

    def below(start: int, end: int) -> Iterator[Chunk]:
        for low, high in original.data_ranges(start, max(end - start, 0)):
            for offset in range(low, high, STEP):
                yield from solid(offset, original.read_at(offset, min(STEP, high - offset)))

    return below


def _base(value: object, read: Reader | None) -> tuple[bytes, ImageSpec | None]:
    """The image that a patch is applied to."""
    if isinstance(value, str):
        from qcowspec.fuzzing import vectors

        bases = vectors.bases()
        if value not in bases:
            raise wrong("base", f"there is no {wording.shown(value)}; there are {', '.join(bases)}")
        described = image_spec(bases[value])
        return _image(described), described
    said = wording.mapping(value, "base")
    if "file" not in said:
        described = image_spec(said, "base")
        return _image(described), described
    wording.mapping(said, "base", ("file",))
    path = wording.text(said["file"], "base.file")
    if read is None:
        raise wrong("base.file", "a spec that comes from elsewhere may name no file")
    return read(path), None


def _image(described: ImageSpec) -> bytes:
    """The bytes of a described image; an error starts with the key at fault."""
    try:
        return image(described)
    except Invalid as error:
        field = error.field or "size"  # other values only make the image too large
        raise wrong(KEYS_OF.get(field, field), error.message) from error


KEYS_OF = {
    "qcow1::header": "header",
    "qcow2::header": "header",
    "qcow2::header_extensions": "extensions",
    "qcow2::snapshot": "snapshots",
    "qcow2::bitmap_directory_entry": "bitmaps",
}
"""The key of a description, for each structure that it sets."""


def _format(described: ImageSpec | None) -> str | None:
    """The format that the image is read as, so that a patch may break the magic and go on."""
    if described is None:
        return None
    return "qcow" if described.version == 1 else "qcow2"


def _patched(data: bytes, patch: object, format: str | None) -> bytes:
    from qcowspec.fuzzing.drafts import Draft
    from qcowspec.fuzzing.patches import apply

    draft = Draft(data, format)
    count = patched = 0
    for item, path in wording.items(patch, "patch"):
        operation = wording.mapping(item, path)
        again = wording.number(operation.get("repeat", 1), f"{path}.repeat", MOST_OPERATIONS)
        count += again
        patched += len(draft.data)
        if count > MOST_OPERATIONS or patched > MOST_PATCHED:
            raise wrong(path, "from here on the patch takes more work than any is worth")
        try:
            apply(draft, [operation])
        except Invalid as error:
            raise wrong(path, error.message) from error
        except MISTAKES as error:
            raise wrong(path, _in_a_line(error) or "this is no operation") from error
    return bytes(draft.data)


MISTAKES = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""Exceptions raised by an invalid operation, such as one whose values have the wrong type."""
