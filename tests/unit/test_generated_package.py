"""qcow_parsers by itself: it needs nothing of qcowspec, and its stubs tell the truth."""

import ast
import importlib
import io
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from kaitaistruct import EndOfStreamError, KaitaiStream, KaitaiStruct
from qcow_parsers import Luks1, Qcow, Qcow1, Qcow2, catalogue, constants, positions, runtime

GENERATED = Path(__file__).resolve().parents[2] / "generated"
STUBS = sorted(GENERATED.rglob("*.pyi"))
PARSERS = [stub for stub in STUBS if stub.stem not in {"__init__", "runtime", "positions"}]

REAL_IMAGES = sorted(GENERATED.parent.glob("tests/data/*.qcow*"))

MAGIC = 0x514649FB
V1 = struct.pack(">IIQIIQBBHIQ", MAGIC, 1, 0, 0, 0, 1 << 20, 12, 9, 0, 0, 48)
V2 = struct.pack(">IIQIIQIIQQIIQ", MAGIC, 2, 0, 0, 16, 1 << 30, 0, 2, 65536, 131072, 1, 0, 0)
V3 = V2[:4] + b"\0\0\0\3" + V2[8:] + struct.pack(">QQQIIBxxxxxxx", 8, 1, 0, 4, 112, 1)
IMAGES = {
    "v1": V1.ljust(4096, b"\0"),
    "v2": V2.ljust(1 << 18, b"\0"),
    "v3": V3.ljust(1 << 18, b"\0"),
    # Every number as large as it gets, and none of the tables in the file.
    "hostile v1": V1[:8].ljust(48, b"\xff"),
    "hostile v2": V2[:8].ljust(72, b"\xff"),
    "hostile v3": V3[:8].ljust(112, b"\xff"),
}


def python(code: str, *path: Path) -> str:
    """Runs code in a Python that sees nothing of this repository but the given folders."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(sys.executable).parent,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


# By itself


def test_the_package_is_importable_by_itself() -> None:
    code = (
        "import sys; from qcow_parsers import Luks1, Qcow, Qcow1, Qcow2, positions;"
        "positions.Qcow2; print('qcowspec' in sys.modules, 'construct' in sys.modules)"
    )
    assert python(code, GENERATED) == "False False\n"


def test_the_tables_load_no_parser() -> None:
    code = (
        "import sys; from qcow_parsers import catalogue, constants;"
        "print([name for name in sys.modules if 'kaitai' in name or name.endswith('qcow2')])"
    )
    assert python(code, GENERATED) == "[]\n"


def test_the_package_knows_no_other_names() -> None:
    module = importlib.import_module("qcow_parsers")
    assert {"Luks1", "Qcow", "Qcow1", "Qcow2"} <= set(dir(module))
    with pytest.raises(AttributeError, match="'qcow_parsers' has no attribute 'Qcow9'"):
        module.Qcow9  # noqa: B018 - the access is the test


def test_the_same_parser_reads_bytes_a_file_and_a_stream(tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(IMAGES["v3"])
    with (
        Qcow2.from_bytes(IMAGES["v3"]) as first,
        Qcow2.from_file(file) as second,
        Qcow2.from_io(io.BytesIO(IMAGES["v3"])) as third,
        file.open("rb", buffering=0) as raw,
        Qcow2.from_io(raw) as fourth,
    ):
        assert [each.header.cluster_bits for each in (first, second, third, fourth)] == [16] * 4


def test_a_structure_is_read_from_its_own_bytes() -> None:
    assert Qcow.Probe.from_bytes(V1[:8]).version == 1
    assert Qcow1.Header.from_bytes(V1).cluster_bits == 12
    assert Qcow2.Header.from_bytes(V2).l1_size == 2
    assert Luks1.Header.from_bytes(bytes(592)).version == 0
    with pytest.raises(runtime.EndOfStreamError):
        Qcow2.Header.from_bytes(V2[:-1])


def test_the_probe_selects_the_layout() -> None:
    image = Qcow.from_bytes(IMAGES["v3"])
    assert image.format is Qcow.Format.qcow2
    assert image.qcow1 is None
    assert image.qcow2 is not None
    assert image.qcow2.header.version == 3


def test_fields_that_are_absent_read_as_none() -> None:
    absent = ("incompatible_features", "refcount_order", "header_length", "additional_fields")
    v2, v3 = Qcow2.Header.from_bytes(V2), Qcow2.Header.from_bytes(V3)
    assert [getattr(v2, name) for name in absent] == [None] * 4
    assert (v3.incompatible_features, v3.refcount_order, v3.header_length) == (8, 4, 112)
    assert v3.additional_fields is not None
    assert v3.additional_fields.compression_type == 1


def test_positions_say_where_each_field_is() -> None:
    header = positions.Qcow2.Header(runtime.KaitaiStream(io.BytesIO(V3)))
    header._read()
    assert (header._debug["version"]["start"], header._debug["version"]["end"]) == (4, 8)
    assert (header._debug["header_length"]["start"], header.header_length) == (100, 112)
    assert list(header._debug)[:2] == header.SEQ_FIELDS[:2] == ["magic", "version"]


def test_positions_of_what_was_read_survive_the_end_of_the_bytes() -> None:
    header = positions.Qcow2.Header(runtime.KaitaiStream(io.BytesIO(V3[:30])))
    with pytest.raises(EndOfStreamError):
        header._read()
    assert header.cluster_bits == 16
    assert list(header._debug)[-1] == "cluster_bits"
    assert header._debug["cluster_bits"]["end"] == 24


def test_the_tables_are_there() -> None:
    assert constants.QCOW_MAGIC == MAGIC
    assert {feature.id for feature in constants.FEATURES} >= {"dirty", "corrupt"}
    assert len({extension.magic for extension in constants.EXTENSIONS}) >= 6
    assert all(rule.id.startswith(f"{rule.stage}/") for rule in catalogue.RULES)


# Stubs


def names(stub: Path) -> str:
    return stub.relative_to(GENERATED).with_suffix("").as_posix().replace("/", ".")


def members(tree: ast.Module | ast.ClassDef, prefix: str = "") -> set[str]:
    """Every class, method, property and attribute of a module or a stub, by dotted name."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{prefix}{node.name}", *members(node, f"{prefix}{node.name}.")}
        elif isinstance(node, ast.FunctionDef):
            found.add(f"{prefix}{node.name}")
            for inner in ast.walk(node):
                if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                    found.add(f"{prefix}{inner.attr}")
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(f"{prefix}{node.target.id}")
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.add(f"{prefix}{node.targets[0].id}")
    return found


def public(found: set[str]) -> set[str]:
    """Without what the base class has and what is the parser's own affair."""
    inherited = {"from_bytes", "from_file", "from_io"}
    return {
        name
        for name in found
        if not (last := name.split(".")[-1]).startswith("_") and last not in inherited
    }


@pytest.mark.parametrize("stub", PARSERS, ids=names)
def test_stub_and_parser_have_the_same_members(stub: Path) -> None:
    said = public(members(ast.parse(stub.read_text("utf-8"))))
    there = public(members(ast.parse(stub.with_suffix(".py").read_text("utf-8"))))
    assert sorted(said ^ there) == []
    assert len(said) > 10


@pytest.mark.parametrize("stub", STUBS, ids=names)
def test_what_a_stub_names_exists(stub: Path) -> None:
    name = names(stub).removesuffix(".__init__")
    module = importlib.import_module(name)
    tree = ast.parse(stub.read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            exists_in(getattr(module, node.name), node)
    assert set(getattr(module, "__all__", [])) <= set(dir(module))


def exists_in(thing: type, stub: ast.ClassDef) -> None:
    for node in stub.body:
        if isinstance(node, ast.ClassDef):
            exists_in(getattr(thing, node.name), node)
        elif isinstance(node, ast.FunctionDef):
            assert hasattr(thing, node.name), f"{thing.__qualname__}.{node.name}"


def annotations(stub: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    """The attributes and properties of a class with what the stub says they are."""
    for node in stub.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.annotation
        elif (
            isinstance(node, ast.FunctionDef)
            and node.returns
            and any(ast.unparse(each) == "property" for each in node.decorator_list)
        ):
            yield node.name, node.returns


def fits(value: object, said: ast.expr, module: ModuleType) -> bool:
    """Whether a value is of the type that a stub says."""
    match said:
        case ast.BinOp(left=left, right=right):
            return fits(value, left, module) or fits(value, right, module)
        case ast.Subscript(value=ast.Name("list"), slice=inner):
            return isinstance(value, list) and all(fits(each, inner, module) for each in value)
        case ast.Constant(None):
            return value is None
        case ast.Name("int"):
            return isinstance(value, int) and not isinstance(value, bool)
        case ast.Name("KaitaiStruct" | "KaitaiStream" as name):
            return isinstance(value, KaitaiStruct if name == "KaitaiStruct" else KaitaiStream)
    # A class of this module, of one that it imports, or a builtin, by its last name.
    return type(value).__qualname__ == ast.unparse(said)


def classes(tree: ast.Module | ast.ClassDef, prefix: str = "") -> dict[str, ast.ClassDef]:
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found[prefix + node.name] = node
            found |= classes(node, f"{prefix}{node.name}.")
    return found


def lies(parsed: Any, seen: set[int], told: dict[str, dict[str, ast.ClassDef]]) -> Iterator[str]:
    """Walks a parse tree and yields each value that is not what its stub says."""
    if id(parsed) in seen or len(seen) > 1000:
        return
    seen.add(id(parsed))
    module = sys.modules[type(parsed).__module__]
    if module.__name__ not in told:
        stub = Path(str(module.__file__)).with_suffix(".pyi")
        told[module.__name__] = classes(ast.parse(stub.read_text("utf-8")))
    for name, said in annotations(told[module.__name__][type(parsed).__qualname__]):
        if name.startswith("_"):
            continue
        value = getattr(parsed, name)
        if not fits(value, said, module):
            yield f"{type(parsed).__qualname__}.{name}: {ast.unparse(said)} is {value!r:.40}"
        for each in value[:3] if isinstance(value, list) else [value]:
            if isinstance(each, KaitaiStruct):
                yield from lies(each, seen, told)


@pytest.mark.parametrize("image", IMAGES)
def test_values_are_what_the_stubs_say(image: str) -> None:
    parsed = Qcow.from_bytes(IMAGES[image])
    assert list(lies(parsed, set(), {})) == []


@pytest.mark.parametrize("image", REAL_IMAGES, ids=lambda image: image.name)
def test_values_of_a_real_image_are_what_the_stubs_say(image: Path) -> None:
    with Qcow.from_file(image) as parsed:
        assert list(lies(parsed, set(), {})) == []


CONSUMER = """
import io
from qcow_parsers import Luks1, Qcow, Qcow1, Qcow2, positions
from qcow_parsers.catalogue import RULES, Rule
from qcow_parsers.constants import EXTENSIONS, FEATURES, QCOW_MAGIC
from qcow_parsers.runtime import EndOfStreamError, KaitaiStream


def describe(data: bytes) -> str:
    header = Qcow2.Header.from_bytes(data)
    bits: int = header.cluster_bits
    features: int | None = header.incompatible_features
    dirty: bool = header.has_dirty
    entry = Qcow2.L2Entry(header.cluster_bits, dirty, KaitaiStream(io.BytesIO(data)))
    other = positions.Qcow2.Header(KaitaiStream(io.BytesIO(data)))
    other._read()
    start: int = other._debug["version"]["start"]
    rules: list[Rule] = [rule for rule in RULES if rule.qemu.verdict == "rejects"]
    names = [each.id for each in FEATURES] + [each.id for each in EXTENSIONS]
    return f"{bits} {features} {entry} {start} {rules} {names} {QCOW_MAGIC}"


def first(image: Qcow) -> Qcow1.Header | Qcow2.Header | None:
    if image.qcow1 is not None:
        return image.qcow1.header
    return image.qcow2.header if image.qcow2 is not None else None
"""


def test_a_strictly_typed_consumer_needs_no_configuration(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "consumer.py").write_text(CONSUMER, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "consumer.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(GENERATED)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
