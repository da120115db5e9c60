"""What the conformance tests compare: QEMU's word, and that of ``qcowspec dump``.

In: the images of tests/data. Out: the fixtures ``qemu_img`` (the oracle: the only place that runs
QEMU's program), ``dumps`` (what dump says of an image) and ``image`` (each image in turn).
Refused: to pass without the oracle where ``CI`` is set; elsewhere its absence is a visible skip.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, wraps
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from qcowspec.cli import qcowspec
from tests.every import every
from tools.make_test_data import DATA, IMAGES, Image

Plain = dict[str, Any]
"""A JSON object."""

TIMEOUT = 30
"""Seconds: longer than qemu-img takes for any image here, shorter than a test run's patience."""

CHECK_ANSWERS = (0, 2, 3, 63)
"""Exit statuses of ``qemu-img check``: sound, corrupt, leaks, and a format that it cannot check."""

FORMATS = {".qcow": "qcow", ".qcow2": "qcow2"}
"""Format of an image, by its suffix."""


def companions() -> Iterator[Image]:
    """The backing files that are QCOW images themselves."""
    for row in IMAGES:
        for name in row.also:
            if Path(name).suffix in FORMATS:
                made_for = FORMATS[Path(name).suffix]
                check = 0 if made_for == "qcow2" else 63
                yield replace(
                    row, name=name, format=made_for, also=(), passphrase=None, check=check
                )


EVERY_IMAGE = [*IMAGES, *companions()]


# --- The oracle -----------------------------------------------------------------------------------


class QemuImg:
    """QEMU's own program, asked about the images of tests/data."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], Any] = {}

    def run(
        self, *words: str | Path, answers: Sequence[int] = (0,)
    ) -> subprocess.CompletedProcess[str]:
        """Run it in the images' folder, where the names of data files lead somewhere.

        Args:
            words: Its arguments.
            answers: Exit statuses that are an answer and no failure.
        """
        done = subprocess.run(
            ["qemu-img", *map(str, words)],
            cwd=DATA,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        )
        assert done.returncode in answers, f"{words}: {done.stdout}{done.stderr}"
        return done

    def info(self, image: Image) -> Plain:
        """What ``qemu-img info`` says of an image by itself."""
        found: Plain = self._json("info", image)
        return found

    def specific(self, image: Image) -> Plain:
        """The part of it that is about qcow2 only; empty for version 1."""
        found: Plain = self.info(image).get("format-specific", {}).get("data", {})
        return found

    def check(self, image: Image) -> Plain:
        """What ``qemu-img check`` says of a qcow2 image."""
        found: Plain = self._json("check", image, answers=CHECK_ANSWERS)
        return found

    def map(self, image: Image) -> list[Plain]:
        """What ``qemu-img map`` says of an image and its backing chain."""
        found: list[Plain] = self._json("map", image, "-U")
        return found

    def snapshot_list(self, image: Image) -> list[str]:
        """The lines of ``qemu-img snapshot -l``, without its headings."""
        words = [word for word in image.open_options if word not in ("-f", image.format)]
        return self.run("snapshot", "-l", *words).stdout.splitlines()[2:]

    def guest(self, image: Image, folder: Path) -> bytes:
        """The whole virtual disk, as a guest reads it."""
        raw = folder / "guest.raw"
        words = [word for word in image.open_options if word != image.name]
        self.run("convert", *words, "-O", "raw", image.name, raw)
        return raw.read_bytes()

    def opens(self, path: Path) -> bool:
        """Whether ``qemu-img info`` opens a file as the QCOW image that it claims to be."""
        words = ("info", "--output=json", path)
        done = self.run(*words, answers=(0, 1))
        return done.returncode == 0 and json.loads(done.stdout)["format"] in FORMATS.values()

    def _json(self, verb: str, image: Image, *options: str, answers: Sequence[int] = (0,)) -> Any:
        """Its answer about an image, asked once however many tests want it."""
        if (verb, image.name) not in self._answers:
            words = (verb, "--output=json", *options, *image.open_options)
            answer = json.loads(self.run(*words, answers=answers).stdout)
            self._answers[verb, image.name] = answer
        return self._answers[verb, image.name]


@pytest.fixture(scope="session")
def qemu_img() -> QemuImg:
    """The oracle."""
    if shutil.which("qemu-img") is None:
        if os.environ.get("CI"):
            pytest.fail("qemu-img is missing, and CI has to have it", pytrace=False)
        pytest.skip("qemu-img is missing: nothing to compare with")
    return QemuImg()


@pytest.fixture
def _beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the images' folder: names are shown as they are given, and data files found by theirs."""
    monkeypatch.chdir(DATA)


# --- The dump -------------------------------------------------------------------------------------


class Dump:
    """What ``qcowspec dump --json`` says of one image, and the ways through it."""

    def __init__(self, document: Plain, content: bytes) -> None:
        self.document = document
        self.content = content
        self.structures: list[Plain] = document["structures"]
        self.by_name: dict[str, Plain] = {s["name"]: s for s in self.structures}

    def nodes(self) -> Iterator[Plain]:
        """Every structure and every field, at any depth."""
        waiting = list(self.structures)
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.get("fields", [])

    def tables(self) -> Iterator[Plain]:
        """Every table that the dump has read."""
        return (structure for structure in self.structures if "entries" in structure)

    def called(self, prefix: str) -> list[Plain]:
        """The structures of a list: those named ``prefix[0]``, ``prefix[1]`` and so on."""
        name = re.compile(re.escape(prefix) + r"\[\d+\]")
        return [s for s in self.structures if name.fullmatch(s["name"])]

    def field(self, path: str) -> Plain | None:
        """A structure or field, by its path; None where the image has none."""
        name, _, rest = path.partition(".")
        node = self.by_name.get(name)
        while node is not None and rest:
            name, _, rest = rest.partition(".")
            node = next((f for f in node.get("fields", []) if f["name"] == name), None)
        return node

    def value(self, path: str, otherwise: Any = None) -> Any:
        """The value of a field, by its path."""
        found = self.field(path)
        return otherwise if found is None else found["value"]

    def bit(self, word: str, bit: int) -> bool:
        """A feature bit of the header."""
        return bool(self.value(f"header.{word}_features", 0) >> bit & 1)

    def extension(self, layout: str) -> Plain | None:
        """The fields, by name, of the header extension with this layout of its data."""
        for extension in self.called("header_extensions"):
            for data in extension["fields"]:
                if data.get("layout") == f"qcow2::{layout}":
                    return {field["name"]: field["value"] for field in data["fields"]}
        return None

    @property
    def version(self) -> int:
        """1, 2 or 3."""
        version: int = self.document["version"]
        return version

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster."""
        return 1 << int(self.value("header.cluster_bits"))

    @property
    def size(self) -> int:
        """Bytes of the virtual disk, whole sectors only, as QEMU counts them."""
        return int(self.value("header.size")) // 512 * 512

    @property
    def has_extended_l2(self) -> bool:
        """Whether the header says that L2 entries are extended."""
        return self.bit("incompatible", 4)

    @property
    def has_data_file(self) -> bool:
        """Whether the header says that guest data lie in another file."""
        return self.bit("incompatible", 2)

    @property
    def is_encrypted(self) -> bool:
        """Whether the header says that guest data are encrypted."""
        return bool(self.value("header.crypt_method"))


def dump(*words: str | Path) -> str:
    """What the command prints of an image that it can read."""
    done = CliRunner().invoke(qcowspec, ["dump", *map(str, words)])
    # Any exception but SystemExit is a traceback in front of a user.
    assert not isinstance(done.exception, Exception), repr(done.exception)
    assert (done.exit_code in (0, 1), done.stderr) == (True, "")
    return done.stdout


Dumps = Callable[..., Dump]
Claim = Callable[..., None]


@pytest.fixture(scope="session")
def dumps() -> Dumps:
    """What dump says of an image of tests/data; ``tables=False`` for the short form."""

    @cache
    def dumped(name: str, *, tables: bool = True) -> Dump:
        options = ["--json", "--tables"] if tables else ["--json"]
        printed = dump(*options, DATA / name)
        return Dump(json.loads(printed), (DATA / name).read_bytes())

    return dumped


@pytest.fixture(params=EVERY_IMAGE, ids=lambda row: row.name)
def image(request: pytest.FixtureRequest) -> Image:
    """Each image of tests/data, the backing files that are QCOW images included."""
    row: Image = request.param
    return row


@pytest.fixture
def said(image: Image, dumps: Dumps) -> Dump:
    """What dump says of the image, with all its tables."""
    return dumps(image.name)


def of_images(rows: Iterable[Image]) -> Callable[[Claim], Claim]:
    """Hold a claim of what dump says of images, with all their tables, in one test.

    Args:
        rows: The images; a claim takes one as ``image``, and its dump as ``said``.
    """

    def decorate(claim: Claim) -> Claim:
        signature = inspect.signature(claim)

        @wraps(claim)
        def of_one(image: Image, dumps: Dumps, **fixtures: Any) -> None:
            known = {"image": image, "dumps": dumps}
            fixtures |= {name: known[name] for name in known if name in signature.parameters}
            if "said" in signature.parameters:
                fixtures["said"] = dumps(image.name)
            claim(**fixtures)

        given = inspect.signature(of_one, follow_wrapped=False).parameters
        own = [each for name, each in signature.parameters.items() if name not in (*given, "said")]
        parameters = [given["image"], given["dumps"], *own]
        vars(of_one)["__signature__"] = signature.replace(parameters=parameters)
        return every("image", rows, ids=lambda row: row.name)(of_one)

    return decorate


of_every_image = of_images(EVERY_IMAGE)
