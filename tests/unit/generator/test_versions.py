"""The measured QEMUs and the changes between them: what rows become, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tools.generator.compiler import InputError
from tools.generator.versions import Versions


def test_rows_become_a_module(formats: Path, load: Callable[[str], ModuleType]) -> None:
    module = load(Versions(formats).text("# header"))

    assert module.MEASURED == ("5.2.0", "10.0.13")
    assert module.DISTRIBUTIONS["10.0.13"] == "Debian 13"
    (change,) = module.CHANGES.values()
    assert change == module.Change("later", ("8.2.6", "9.1"), "It is later.", ("a commit",))
    (proposed,) = module.PROPOSED
    assert proposed == module.Proposed("zoned", "A bit.", ("a mail", "another"))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"5.2.0"', '"11.1.3"', "`measured` has versions whose releases are not in order."),
        ('"5.2.0"', '"5"', "`version` is '5', which is no release."),
        ('"9.1"', '"8.1"', "`releases` is ['8.2.6', '8.1'], whose releases are not in order."),
        ('says = "It is later."\n', "", "the key `says` is missing."),
    ],
)
def test_rows_that_are_not_sound_are_refused_with_a_sentence(
    formats: Path, old: str, new: str, sentence: str, edit: Callable[[str, str, str], None]
) -> None:
    edit("qemu.toml", old, new)
    with pytest.raises(InputError) as refusal:
        Versions(formats)

    assert sentence in str(refusal.value)
