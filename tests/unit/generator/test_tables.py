"""The tables of constants, features and extensions: what they become, what is refused."""

from collections.abc import Callable
from enum import KEEP, IntFlag
from pathlib import Path
from types import ModuleType

import pytest

from tools.generator import constants
from tools.generator.compiler import InputError
from tools.generator.layouts import Layout
from tools.generator.tables import Tables

Load = Callable[[str], ModuleType]
Edit = Callable[[str, str, str], None]


def test_constants_have_the_values_that_their_bits_make(formats: Path, load: Load) -> None:
    module = load(constants.text(Tables(formats), "# header"))
    assert module.FLAG == 1 << 63
    assert module.MAGIC == 0xE2792ACA
    assert module.Words.BOTH == (1 << 33) + 1
    assert issubclass(module.Words, IntFlag)
    assert module.Words._boundary_ is KEEP
    assert module.FEATURES[0].mask == 1
    assert module.FEATURES[0].source == ("a.h",)
    assert module.EXTENSIONS[0].layout == "disk::extra"


def test_masks_are_written_in_hexadecimal(formats: Path) -> None:
    text = constants.text(Tables(formats), "# header")
    assert "FLAG: Final[int] = 0x8000000000000000  # mask\n" in text
    assert "MAGIC: Final[int] = 0xe2792aca  # number\n" in text
    assert "        magic=0xe2792aca,\n" in text


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("bits = [0, 63]", 2**64 - 1),
        ("bits = [9, 9]", 512),
        ("bitranges = [[0, 8], [56, 62]]", 0x7F000000000001FF),
        ('text = "data-file"', "data-file"),
        ("bytes = [0x4c, 0xba]", b"\x4c\xba"),
        ("value = 0", 0),
    ],
)
def test_a_constant_may_take_any_of_the_forms(
    formats: Path, form: str, value: object, load: Load, edit: Edit
) -> None:
    edit("constants.toml", "bit = 63", form)
    module = load(constants.text(Tables(formats), "#"))
    assert value == module.FLAG


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        (
            "constants.toml",
            'limit = "format"',
            'limits = "format"',
            "constants.toml: constant FLAG: there is no key `limits`; the keys are name, value, "
            "bit, bits, bitranges, text, bytes, unit, limit, meaning, source, seed, seed_name.\n"
            "constants.toml: constant FLAG: the key `limit` is missing.",
        ),
        (
            "constants.toml",
            "bit = 63",
            "bit = 64",
            "constants.toml: constant FLAG: `bit` is 64, which is no whole number from 0 to 63.",
        ),
        (
            "constants.toml",
            "bit = 63",
            "bits = [9, 3]",
            "constants.toml: constant FLAG: `bits` is [9, 3], where the higher bit stands first.",
        ),
        (
            "constants.toml",
            "bit = 63",
            "bit = 63\nvalue = 1",
            "constants.toml: constant FLAG: it has not exactly one of value, bit, bits, bitranges, "
            "text, bytes.",
        ),
        (
            "constants.toml",
            '"MAGIC"\nvalue',
            '"FLAG"\nvalue',
            "constants.toml: the name `FLAG` stands twice.\n"
            "extensions.toml: extension extra: constants.toml has no number MAGIC.",
        ),
        (
            "constants.toml",
            '["LOW", "HIGH"]',
            '["LOW", "TALL"]',
            "constants.toml: enum Words: member BOTH: `of` names TALL, which is no member above "
            "it.",
        ),
        (
            "constants.toml",
            '"flags"',
            '"enum"',
            "constants.toml: enum Words: member LOW: only members of flags are made of bits.\n"
            "constants.toml: enum Words: member HIGH: only members of flags are made of bits.\n"
            "constants.toml: enum Words: member BOTH: only members of flags are made of bits.",
        ),
        ("constants.toml", "[[enum]]", "[[enums]]", "constants.toml: there is no table `enums`."),
        (
            "features.toml",
            '"LOW"',
            '"WORD"',
            "features.toml: feature low: constants.toml has no number WORD.",
        ),
        (
            "features.toml",
            "[3]",
            "[4]",
            "features.toml: feature low: `versions` is [4], which is none of 1, 2, 3.",
        ),
        (
            "extensions.toml",
            "once = true",
            'once = "yes"',
            "extensions.toml: extension extra: `once` is 'yes', which is neither true nor false.",
        ),
        (
            "extensions.toml",
            "disk::extra",
            "disk::nothing",
            "extensions.toml: extension extra: `layout` is disk::nothing, which is no type of a "
            ".ksy.",
        ),
    ],
)
def test_a_table_that_is_not_sound_is_refused_with_sentences(
    formats: Path,
    layouts: dict[str, Layout],
    file: str,
    old: str,
    new: str,
    sentence: str,
    edit: Edit,
) -> None:
    edit(file, old, new)
    with pytest.raises(InputError) as refusal:
        Tables(formats).check_layouts(layouts)
    assert str(refusal.value) == sentence


def test_a_missing_table_is_refused(formats: Path) -> None:
    (formats / "features.toml").unlink()
    with pytest.raises(InputError, match=r"^features\.toml is missing\.$"):
        Tables(formats)


def test_a_feature_bit_stands_once(formats: Path) -> None:
    file = formats / "features.toml"
    text = file.read_text("utf-8")
    file.write_text(text + text.replace('id = "low"', 'id = "other"'), "utf-8")
    with pytest.raises(InputError) as refusal:
        Tables(formats)
    assert str(refusal.value) == "features.toml: the constant `LOW` stands twice."
