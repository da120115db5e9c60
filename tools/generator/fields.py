"""The docs of the ``.ksy`` as a table, so that a report can show the document's words.

Comes in: the layouts. Goes out: the text of ``qcow_parsers/fields.py``.
"""

from collections.abc import Iterator

from .layouts import Doc, Layout
from .literals import literal

_HEAD = '''\
"""What the formats' own words say about each structure and field.

Keys are the names that rules use: ``qcow2::header`` a structure, ``qcow2::header.cluster_bits`` a
field or an instance of it.
"""

from typing import Final, NamedTuple


class FieldDoc(NamedTuple):
    """The first sentence of a doc, and where the doc is from."""

    doc: str
    doc_ref: str

'''


def _entries(layout: Layout) -> Iterator[tuple[str, Doc]]:
    yield layout.name, layout.doc
    for field in [*layout.params, *layout.seq, *layout.instances]:
        yield f"{layout.name}.{field.name}", field.doc


def text(layouts: dict[str, Layout], header: str) -> str:
    """The module; what has no doc has no entry."""
    lines = [header, _HEAD, "FIELD_DOCS: Final[dict[str, FieldDoc]] = {"]
    for top in layouts.values():
        for layout in top.walk():
            for key, doc in _entries(layout):
                if doc.text or doc.refs:
                    said = f"{literal(doc.sentence())}, {literal('; '.join(doc.refs))}"
                    lines.append(f"    {literal(key)}: FieldDoc({said}),")
    return "\n".join([*lines, "}"]) + "\n"
