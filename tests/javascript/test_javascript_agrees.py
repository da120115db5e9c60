"""JavaScript reads the same fields as Python, and finds the same rules broken.

QCOWSPEC_MUTANTS says of how many mutants; 400 where it is not set.
"""

from __future__ import annotations

import operator
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.campaign.stock import Stock
from tests.javascript import package
from tests.javascript.readings import Slice, entries, read, slices
from tests.property.real_images import SMALL_IMAGES
from tools.generator import languages

MUTANTS = int(os.environ.get("QCOWSPEC_MUTANTS", "400"))


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Node finds the package."""
    return package.make(tmp_path_factory.mktemp("modules"))


def agree(modules: Path, asked: list[Slice]) -> None:
    answers = package.ask(modules, (each.as_json() for each in asked))
    for each, answer in zip(asked, answers, strict=True):
        assert answer == read(each), each


def test_of_every_vector(modules: Path) -> None:
    agree(modules, slices(vectors.image(vector) for vector in vectors.everything()))


def test_of_every_small_image(modules: Path) -> None:
    agree(modules, slices(path.read_bytes() for path in SMALL_IMAGES))


def test_of_mutants(modules: Path) -> None:
    stock, drawn = Stock(), Counter[str]()
    for first in range(0, MUTANTS, 1000):
        numbers = range(first, min(first + 1000, MUTANTS))
        agree(modules, slices(stock.draw(Random(f"js/{n}"), drawn).data for n in numbers))


def test_of_entries_of_tables(modules: Path) -> None:
    agree(modules, entries(200))


def test_numbers_of_64_bits_are_not_rounded(modules: Path) -> None:
    """The first integer that JavaScript's own numbers do not have."""
    (answer,) = package.ask(
        modules, [Slice("qcow1::l2_entry", (12,), ((1 << 53) + 1).to_bytes(8, "big")).as_json()]
    )

    assert answer["offset"] == "9007199254740993"


OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.floordiv,
    "mod": operator.mod,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "shl": operator.lshift,
    "shr": operator.rshift,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_arithmetic_is_pythons(name: str, modules: Path) -> None:
    random, pairs = Random(name), []
    for _ in range(500):
        a, b = (
            random.choice((1, -1)) * (random.getrandbits(random.randint(1, 64)) or 1) for _ in "ab"
        )
        pairs.append((a, abs(b) % 64 if name in {"shl", "shr"} else b))
    requests = [{"operation": name, "a": str(a), "b": str(b)} for a, b in pairs]

    assert package.ask(modules, requests) == [str(OPERATIONS[name](a, b)) for a, b in pairs]


def test_the_example_runs(modules: Path) -> None:
    image = next(path for path in SMALL_IMAGES if path.name == "v3-snapshots.qcow2")
    broken = modules / "broken.qcow2"
    broken.write_bytes(image.read_bytes()[:20] + b"\0\0\0\1" + image.read_bytes()[24:])

    assert package.run(modules, languages.EXAMPLE, str(image)) == (
        "version 3, 9437696 bytes, clusters of 4096, 4 snapshots\n"
    )
    assert "header/cluster-bits: " in package.run(modules, languages.EXAMPLE, str(broken))


def test_the_document_about_languages_is_fresh(modules: Path) -> None:
    document = package.ROOT / "docs" / "languages.md"

    assert document.read_text("utf-8") == languages.page(package.ROOT)
