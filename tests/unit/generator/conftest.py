"""A small specification, sound in every way, for the tests to break."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tools.generator.layouts import Layout, read_layouts
from tools.generator.numbers import declarations

KSY = r"""
    meta: {id: disk, endian: be, imports: [vault]}
    doc: A disk.
    seq:
      - {id: header, type: header}
    instances:
      lock: {pos: 0, type: vault, if: header.version == 9}
    types:
      header:
        doc: A "header" with \ and three quotes. More of it.
        doc-ref: [one, two]
        seq:
          - {id: version, type: u4, doc: The version.}
          - {id: kind, type: u1, enum: kind}
          - {id: flags, type: u8, if: version >= 3}
          - {id: extra, type: extra(2), size: 4, if: version >= 3}
          - id: body
            type: {switch-on: kind, cases: {'kind::one': extra(1), 'kind::two': vault::slot}}
          - {id: rest, type: u2, repeat: expr, repeat-expr: 2}
        instances:
          ok_version: {value: version >= 2}
          ok_flags: {value: 'flags <= HIGH + FLAG and word != WORD', doc: As HIGH says.}
          same: {value: flags}
          twice: {value: version * 2, doc: Two times.}
      extra:
        params:
          - {id: width, type: u1}
        seq:
          - {id: low, type: b1}
          - {id: high, type: b7}
          - {id: name, size-eos: true}
    enums:
      kind:
        LOW: {id: one, doc: The first.}
        2: two
"""
VAULT = """
    meta: {id: vault, endian: be}
    seq:
      - {id: slot, type: slot}
    types:
      slot:
        seq:
          - {id: key, size: 2}
"""
JAVA = """\
public class Disk extends KaitaiStruct {
    public static class Header extends KaitaiStruct {
        public enum Kind {
            public long same() { return id; }
        }
        public Boolean okVersion() {
        public Boolean okFlags() {
        public Long same() {
        public Integer twice() {
    }
}
"""
CONSTANTS = """
    [[constant]]
    name = "FLAG"
    bit = 63
    unit = "mask"
    limit = "format"
    meaning = "A flag"
    source = "a.h"

    [[constant]]
    name = "MAGIC"
    value = 0xe2792aca
    unit = "number"
    limit = "qemu"
    meaning = "A magic"
    source = "a.h"
    seed = true
    seed_name = "LIBRBD_MAGIC"

    [[constant]]
    name = "WORD"
    text = "ab"
    unit = "name"
    limit = "qemu"
    meaning = "A word"
    source = "a.h"

    [[enum]]
    name = "Words"
    kind = "flags"
    meaning = "Flags"
    source = "a.h"
    member = [
        { name = "LOW", bit = 0, meaning = "low" },
        { name = "HIGH", bit = 33, meaning = "high" },
        { name = "BOTH", of = ["LOW", "HIGH"], meaning = "both" },
    ]
"""
FEATURES = """
    [[feature]]
    id = "low"
    type = "incompatible"
    name = "low bit"
    constant = "LOW"
    since = "1.1"
    versions = [3]
    obliges = "A reader stops."
    source = "a.h"
"""
EXTENSIONS = """
    [[extension]]
    id = "extra"
    name = "Extra"
    layout = "disk::extra"
    versions = [2, 3]
    once = true
    constant = "MAGIC"
    source = ["a.h", "b.h"]
"""
QEMU = """
    [[measured]]
    version = "5.2.0"
    distribution = "Debian 11"

    [[measured]]
    version = "10.0.13"
    distribution = "Debian 13"

    [[change]]
    id = "later"
    releases = ["8.2.6", "9.1"]
    says = "It is later."
    source = "a commit"

    [[proposed]]
    id = "zoned"
    says = "A bit."
    source = ["a mail", "another"]
"""
RULES = """
    [[rule]]
    id = "header/version"
    formats = ["qcow2"]
    versions = [2, 3]
    on = "disk::header"
    field = "version"
    predicate = "instance"
    stops = true
    says = "version is 2 or 3."
    message = "version is {value}."
    kind = "unsupported"
    errno = "ENOTSUP"
    spec = true
    qemu = { verdict = "rejects", key = "Unsupported qcow2 version", order = 20 }
    librbd = "rejects"
    source = ["a.c"]
    why = "Nothing else is known."
"""


@pytest.fixture
def formats(tmp_path: Path) -> Path:
    folder = tmp_path / "formats"
    for name, content in (
        ("kaitai/disk.ksy", KSY),
        ("kaitai/vault.ksy", VAULT),
        ("constants.toml", CONSTANTS),
        ("features.toml", FEATURES),
        ("extensions.toml", EXTENSIONS),
        ("qemu.toml", QEMU),
        ("rules/header.toml", RULES),
    ):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(content), "utf-8")
    return folder


@pytest.fixture
def layouts(formats: Path) -> dict[str, Layout]:
    return read_layouts(declarations(formats))


@pytest.fixture
def java() -> dict[str, str]:
    """What the compiler's Java says about the types of the value instances."""
    return {"Disk.java": JAVA}


Load = Callable[[str], ModuleType]


@pytest.fixture
def load() -> Load:
    """Runs generated Python."""

    def loaded(text: str) -> ModuleType:
        module = ModuleType("loaded")
        exec(compile(text, "loaded", "exec"), module.__dict__)  # noqa: S102 - our own output
        return module

    return loaded


Edit = Callable[[str, str, str], None]


@pytest.fixture
def edit(formats: Path) -> Edit:
    """Changes a text in a file of the specification."""

    def edited(file: str, old: str, new: str) -> None:
        before = (formats / file).read_text("utf-8")
        assert old in before
        (formats / file).write_text(before.replace(old, new), "utf-8")

    return edited
