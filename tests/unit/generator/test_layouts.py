"""The .ksy files as the generator reads them."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tools.generator.compiler import InputError
from tools.generator.layouts import Layout, find_enum, find_type, primitive, read_layouts
from tools.generator.numbers import declarations

Load = Callable[[str], ModuleType]
Edit = Callable[[str, str, str], None]


def test_names_are_looked_for_from_the_inside_out(layouts: dict[str, Layout]) -> None:
    header = layouts["disk"].types["header"]
    assert find_type(layouts, header, "extra").name == "disk::extra"
    assert find_type(layouts, header, "vault::slot").name == "vault::slot"
    home, enum = find_enum(layouts, header, "kind")
    assert (home.name, enum.name) == ("disk", "kind")
    with pytest.raises(InputError, match=r"^disk\.ksy: disk::header: there is no type nothing$"):
        find_type(layouts, header, "nothing")


@pytest.mark.parametrize(
    ("kind", "python"),
    [
        *[(kind, "int") for kind in ("u1", "u8", "s4le", "b2", "b9", "b10", "b64", "b31le")],
        *[(kind, "bool") for kind in ("b1", "b1le", "bool")],
        ("strz", "str"),
        ("f8", "float"),
        ("struct", "KaitaiStruct"),
        ("header", None),
        ("b0", None),
    ],
)
def test_the_languages_own_types_have_python_types(kind: str, python: str | None) -> None:
    assert primitive(kind) == python


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("id: flags", "id: bytes", "a field named bytes hides Python's own; name it otherwise"),
        ("id: flags", "id: on", "YAML does not read the name True as text; quote it"),
        ("2: two", "two: 2", "enum kind has the value 'two', which is no integer"),
        ("id: disk", "id: disc", "meta/id is disc, not the file's name"),
    ],
)
def test_a_layout_that_is_not_sound_is_refused(
    formats: Path, old: str, new: str, sentence: str, edit: Edit
) -> None:
    edit("kaitai/disk.ksy", old, new)
    with pytest.raises(InputError) as refusal:
        read_layouts(declarations(formats))
    assert str(refusal.value).endswith(f": {sentence}")
