"""Dump takes any image: it says what is broken, keeps its temper, and asks for little memory.

Each image here is a sound one with a few bytes changed. QEMU's verdict on it is asked for too: dump
and ``qemu-img info`` refuse the same images.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from signal import ITIMER_PROF, SIGPROF, SIGXCPU, setitimer, signal
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from qcowspec.cli import main
from qcowspec.errors import NotQcow
from qcowspec.image import lay_open
from qcowspec.report import document, text, tree
from tools.make_test_data import DATA

if TYPE_CHECKING:
    from tests.conformance.conftest import Dumps, QemuImg

Plain = dict[str, Any]

MEBIBYTE = 1 << 20
ROOM = 64 * MEBIBYTE
"""What a command may use above the tables that its work needs."""

SECONDS = 20
"""Of processor time: longer than any dump here takes on a slow machine; what loops never ends."""

CEILING = 1024 * MEBIBYTE
"""Address space of a measured program, so that a bad one does not take the machine along."""

U32, U64 = 2**32 - 1, 2**64 - 1


@dataclass(frozen=True)
class Ran:
    """A command that has come to its end.

    Attributes:
        status: Its exit status; negative where a signal ended it.
        out: What it wrote to stdout.
        err: What it wrote to stderr.
        peak: The most memory that it had, in bytes.
    """

    status: int
    out: str
    err: str
    peak: int

    @property
    def document(self) -> Plain:
        """The JSON that it printed."""
        found: Plain = json.loads(self.out)
        return found

    @property
    def rules(self) -> list[str]:
        """The ids of the rules that it found broken."""
        return [finding["rule"] for finding in self.document["findings"]]


FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["qcowspec.cli.dump", "qcowspec.report.document", __name__])


def measured(folder: Path, *words: str | Path) -> Ran:
    """Run ``qcowspec`` in a process of its own, in bounded time and memory."""
    process = FORKING.Process(target=child, args=(folder, list(map(str, words))))
    process.start()
    process.join()
    assert process.exitcode not in (None, -SIGXCPU), f"{words}: not done after {SECONDS} s"
    out, err, peak = ((folder / name).read_text("utf-8") for name in ("out", "err", "peak"))
    return Ran(process.exitcode, out, err, int(peak) * 1024)


def child(folder: Path, words: list[str]) -> None:
    """Run the command line, and write the most memory that this process had.

    Linux keeps that number for each process; the one in rusage begins with that of the parent.
    """
    resource.setrlimit(resource.RLIMIT_AS, (CEILING, CEILING))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv[1:] = words

    @atexit.register
    def peak() -> None:
        status = Path("/proc/self/status").read_text()
        (folder / "peak").write_text(status.partition("VmHWM:")[2].split()[0])

    main()


@dataclass(frozen=True)
class Broken:
    """A sound image with some fields overwritten.

    Attributes:
        rule: The rule that it breaks.
        image: The sound image, of tests/data.
        fields: Paths of fields of its dump, and what they become.
    """

    rule: str
    image: str
    fields: dict[str, int]

    def __str__(self) -> str:
        """As it stands in a test's id."""
        changes = (f"{path.partition('.')[2] or path}={n:#x}" for path, n in self.fields.items())
        return f"{self.rule}-{self.image}-{','.join(changes)}"


SHOWCASE, V1, V2 = "showcase.qcow2", "v1-backing.qcow", "v2-snapshots.qcow2"

BROKEN = [
    *(
        Broken("header/cluster-bits", SHOWCASE, {"header.cluster_bits": bits})
        for bits in (0, 8, 22, 64, U32)
    ),
    Broken("header/cluster-bits", V2, {"header.cluster_bits": 22}),
    Broken("header/header-length-minimum", SHOWCASE, {"header.header_length": 103}),
    Broken("header/header-length-maximum", SHOWCASE, {"header.header_length": U32}),
    Broken("header/unknown-incompatible", SHOWCASE, {"header.incompatible_features": 1 << 63}),
    Broken("header/backing-file-offset", SHOWCASE, {"header.backing_file_offset": U64}),
    Broken("header/total-sectors", SHOWCASE, {"header.size": U64}),
    Broken("probe/version", SHOWCASE, {"header.version": 4}),
    Broken("l1/size-maximum", SHOWCASE, {"header.l1_size": U32}),
    Broken("l1/size-minimum", SHOWCASE, {"header.l1_size": 0}),
    Broken("l1/table-offset", SHOWCASE, {"header.l1_table_offset": U64}),
    Broken("refcounts/order", SHOWCASE, {"header.refcount_order": U32}),
    Broken("refcounts/table-present", SHOWCASE, {"header.refcount_table_clusters": 0}),
    Broken("refcounts/table-size", SHOWCASE, {"header.refcount_table_clusters": U32}),
    Broken("refcounts/table-offset", SHOWCASE, {"header.refcount_table_offset": 1}),
    Broken("snapshots/count", SHOWCASE, {"header.nb_snapshots": U32}),
    Broken("snapshots/count", V2, {"header.nb_snapshots": 65537}),
    Broken("snapshots/offset", SHOWCASE, {"header.snapshots_offset": 1 << 63}),
    Broken("snapshots/extra-data-size", SHOWCASE, {"snapshots[1].extra_data_size": U32}),
    Broken("backing/file-size", SHOWCASE, {"header.backing_file_size": U32}),
    Broken("extensions/len", SHOWCASE, {"header_extensions[1].len": U32}),
    *(Broken("header/v1-cluster-bits", V1, {"header.cluster_bits": bits}) for bits in (0, 17, 255)),
    *(Broken("header/v1-l2-bits", V1, {"header.l2_bits": bits}) for bits in (0, 14, 255)),
    Broken("header/v1-size-minimum", V1, {"header.size": 1}),
    Broken("header/v1-size-maximum", V1, {"header.size": U64}),
    Broken("l1/v1-size", V1, {"header.size": 1 << 58}),
    Broken("backing/v1-file-size", V1, {"header.backing_file_size": U32}),
]
"""Images that QEMU refuses."""

TAME = [
    Broken("an L1 table of 32 MiB", "v3-empty.qcow2", {"header.l1_size": 1 << 22}),
    Broken("a refcount table of 8 MiB", "v3-empty.qcow2", {"header.refcount_table_clusters": 128}),
    Broken("1024 snapshots of what comes", SHOWCASE, {"header.nb_snapshots": 1024}),
    Broken(
        "1024 snapshots of zeros",
        "v3-empty.qcow2",
        {"header.nb_snapshots": 1024, "header.snapshots_offset": 1 << 40},
    ),
    Broken("a snapshot's L1 table of 2^32 entries", SHOWCASE, {"snapshots[0].l1_size": U32}),
    Broken("a bitmap table of 2^32 entries", SHOWCASE, {"bitmaps[0].bitmap_table_size": U32}),
    Broken(
        "tables at the end of all offsets",
        SHOWCASE,
        {"header.l1_table_offset": 2**63 - 65536, "header.refcount_table_offset": 2**63 - 65536},
    ),
    Broken(
        "an L1 table that is the header",
        SHOWCASE,
        {"header.l1_table_offset": 0, "header.l1_size": 8192},
    ),
    Broken("a v1 L1 table of 2 GiB", V1, {"header.size": 1 << 43}),
]
"""Images that ask for much; of some of them QEMU does not complain."""

MOST_SNAPSHOTS = Broken(
    "65536 snapshots of zeros",
    "v3-empty.qcow2",
    {"header.nb_snapshots": 65536, "header.snapshots_offset": 1 << 40},
)
"""All behind the end of the file: it has 192 KiB, and as many snapshots as QEMU reads."""

EVERY = [*BROKEN, *TAME, MOST_SNAPSHOTS]


Break = Callable[[Broken], Path]


@pytest.fixture(scope="module")
def broken_image(tmp_path_factory: pytest.TempPathFactory, dumps: Dumps) -> Break:
    """Make a broken image, beside the files that the sound one names."""
    folder = tmp_path_factory.mktemp("broken")
    for name in ("showcase-base.qcow2", "v1-backing-base.qcow"):
        (folder / name).symlink_to(DATA / name)

    @cache
    def made(name: str) -> Path:
        broken = next(b for b in EVERY if str(b) == name)
        content = bytearray((DATA / broken.image).read_bytes())
        for path, number in broken.fields.items():
            field = dumps(broken.image).field(path)
            assert field is not None, path
            start, length = field["offset"], field["length"]
            content[start : start + length] = number.to_bytes(length, "big")
        image = folder / f"{len(list(folder.iterdir()))}{Path(broken.image).suffix}"
        image.write_bytes(content)
        return image

    return lambda broken: made(str(broken))


@pytest.fixture(scope="module")
def dump_of(tmp_path_factory: pytest.TempPathFactory, broken_image: Break) -> Callable[..., Ran]:
    """Dump a broken image, once however many tests look at it."""
    folder = tmp_path_factory.mktemp("measured")

    @cache
    def ran(name: str, *words: str) -> Ran:
        broken = next(b for b in EVERY if str(b) == name)
        return measured(folder, "dump", *words, broken_image(broken))

    return lambda broken, *words: ran(str(broken), *(words or ("--json", "--tables")))


@pytest.fixture(scope="module")
def usual_peak(tmp_path_factory: pytest.TempPathFactory) -> int:
    """The most memory that a dump of a sound image has."""
    folder = tmp_path_factory.mktemp("usual")
    return measured(folder, "dump", "--json", "--tables", DATA / SHOWCASE).peak


# --- What breaks a rule ---------------------------------------------------------------------------


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_dump_exits_with_1(broken: Broken, dump_of: Callable[..., Ran]) -> None:
    ran = dump_of(broken)

    assert (ran.status, ran.err) == (1, "")


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_dump_names_the_rule(broken: Broken, dump_of: Callable[..., Ran]) -> None:
    assert broken.rule in dump_of(broken).rules


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_the_finding_points_at_the_field(
    broken: Broken, dump_of: Callable[..., Ran], dumps: Dumps
) -> None:
    path, number = next(iter(broken.fields.items()))
    field = dumps(broken.image).field(path)
    assert field is not None

    found = dump_of(broken).document["findings"]
    named = [f for f in found if f["rule"] == broken.rule]
    places = [(f["field"], f["offset"], f["value"]) for f in named]
    if broken.rule != "l1/v1-size":  # it is about a number that follows from the field
        assert places == [(path, field["offset"], number)]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_dump_shows_the_header_all_the_same(broken: Broken, dump_of: Callable[..., Ran]) -> None:
    structures = dump_of(broken).document["structures"]

    assert structures[0]["name"] == "header"


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_the_text_names_the_rule(broken: Broken, broken_image: Break) -> None:
    with within(SECONDS), lay_open(broken_image(broken)) as opened:
        nodes = tree.structures(opened, whole=True)
        lines = list(text.lines(opened, nodes, whole=True, hexadecimal=True))

    assert [line for line in lines if line.endswith(f"[{broken.rule}]")] != []


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_qemu_refuses_it_too(broken: Broken, broken_image: Break, qemu_img: QemuImg) -> None:
    assert not qemu_img.opens(broken_image(broken))


@pytest.mark.parametrize("broken", [*BROKEN, *TAME], ids=str)
def test_dump_says_whether_qemu_opens_it(
    broken: Broken, broken_image: Break, dump_of: Callable[..., Ran], qemu_img: QemuImg
) -> None:
    expected = "READY" if qemu_img.opens(broken_image(broken)) else "REJECTED"

    assert dump_of(broken).document["state"] == expected


# --- What asks for much ---------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [*BROKEN, *TAME], ids=str)
def test_dump_needs_little_memory(
    broken: Broken, dump_of: Callable[..., Ran], usual_peak: int
) -> None:
    assert dump_of(broken).peak < usual_peak + ROOM


@pytest.mark.parametrize("broken", TAME, ids=str)
def test_dump_as_text_needs_little_memory(
    broken: Broken, dump_of: Callable[..., Ran], usual_peak: int
) -> None:
    ran = dump_of(broken, "--tables", "--hex")

    assert ran.status in (0, 1), ran.err[-500:]
    assert ran.peak < usual_peak + ROOM


def test_as_many_snapshots_as_qemu_reads_need_little_memory(
    tmp_path: Path, broken_image: Break, usual_peak: int
) -> None:
    # All of them are read to open the image; to print them takes twice as long.
    ran = measured(tmp_path, "dump", "--path", "l1_table[0]", broken_image(MOST_SNAPSHOTS))

    assert (ran.status, ran.out) == (0, "0x0\n"), ran.err[-500:]
    assert ran.peak < usual_peak + ROOM


# --- What was cut short ---------------------------------------------------------------------------

CUT = [
    SHOWCASE,
    V1,
    V2,
    "v3-extended-l2-16k.qcow2",
    "v3-luks-essiv.qcow2",
    "v3-data-file.qcow2",
    "v3-bitmaps-in-use.qcow2",
]
PROBED = 8
"""Bytes that tell an image from any other file."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """End what takes more processor time, with a `TimeoutError`."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal(SIGPROF, ring)
    setitimer(ITIMER_PROF, seconds)
    try:
        yield
    finally:
        setitimer(ITIMER_PROF, 0)
        signal(SIGPROF, before)


def lengths(image: str, dumps: Dumps) -> list[int]:
    """Where to cut an image: around every structure, within the header, and here and there."""
    said = dumps(image)
    whole = len(said.content)
    starts = {s["offset"] + step for s in said.structures for step in (0, 1)}
    ends = {s["offset"] + s["length"] - 1 for s in said.structures}
    within_header = range(0, said.cluster_size if said.cluster_size <= 512 else 512, 13)
    return sorted(
        {n for n in {*starts, *ends, *within_header, *range(0, whole, 65521)} if n < whole}
    )


@pytest.mark.parametrize("image", CUT)
def test_a_cut_image_is_laid_open_as_far_as_it_goes(image: str, dumps: Dumps) -> None:
    content = (DATA / image).read_bytes()
    for length in lengths(image, dumps):
        with within(SECONDS):
            if length < PROBED:
                with pytest.raises(NotQcow):
                    lay_open(content[:length])
                continue
            with lay_open(content[:length]) as opened:
                nodes = list(tree.structures(opened, whole=True))
                said = json.loads("".join(document.as_json(opened, nodes, whole=True)))
                lines = list(text.lines(opened, nodes, whole=True, hexadecimal=True))
        assert said["structures"][0]["name"] == "header", length
        assert lines[-1], length


def leaves(nodes: list[Plain]) -> Iterator[Plain]:
    """The fields that are made of no others."""
    for node in nodes:
        if "raw" in node:
            yield node
        yield from leaves(node.get("fields", []))


@pytest.mark.parametrize("image", CUT)
def test_a_cut_image_has_no_byte_that_its_file_has_not(image: str, dumps: Dumps) -> None:
    content = (DATA / image).read_bytes()
    for length in lengths(image, dumps):
        if length < PROBED:
            continue
        with within(SECONDS), lay_open(content[:length]) as opened:
            nodes = tree.structures(opened, whole=False)
            said = json.loads("".join(document.as_json(opened, nodes, whole=False)))
        for leaf in leaves(said["structures"]):
            found = content[:length][leaf["offset"] : leaf["offset"] + leaf["length"]]
            assert (leaf["raw"], leaf["length"]) == (found.hex(), len(found)), (length, leaf)


@pytest.mark.parametrize("image", CUT)
def test_a_cut_image_is_the_same_in_yaml(image: str, dumps: Dumps) -> None:
    content = (DATA / image).read_bytes()
    for length in lengths(image, dumps)[5::7]:
        if length < PROBED:
            continue
        with within(SECONDS), lay_open(content[:length]) as opened:
            nodes = list(tree.structures(opened, whole=False))
            as_json = "".join(document.as_json(opened, nodes, whole=False))
            as_yaml = "".join(document.as_yaml(opened, nodes, whole=False))
        assert yaml.load(as_yaml, Loader=yaml.CSafeLoader) == json.loads(as_json), length
