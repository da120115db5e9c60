"""`convert --receipt` and `verify`: what stands in a receipt is so, and what differs is noticed."""

from __future__ import annotations

import json
import random
import resource
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

import qcowspec
from qcowspec.errors import Invalid
from qcowspec.guest.losses import Losses
from qcowspec.report import verification
from qcowspec.report.matrix import rules_sha256
from qcowspec.report.receipt import LARGEST, Read, receipt
from qcowspec.sources.gate import Deny
from tests import qemu
from tests.command import run, run_bytes

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "receipt.schema.json").read_text()))
FROM = "env:QCOWSPEC_TEST_SECRET"

CASES = [
    ["-O", "qcow2", "--canonical", "--allow", "same-dir", "showcase.qcow2"],
    ["-O", "qcow2", "-c", "-o", "compression_type=zstd", "v3-zlib.qcow2"],
    ["-O", "qcow2", "--secret", FROM, "v3-luks.qcow2"],
    ["-O", "qcow2", "--snapshot", "first", "v2-snapshots.qcow2"],
    ["-O", "qcow2", "--allow", "same-dir", "v3-data-file-raw.qcow2"],
    ["-O", "qcow2", "v3-size-0.qcow2"],
    ["-O", "qcow2", "v3-leaks.qcow2"],
    ["-O", "qcow2", "-f", "raw", "v3-chain-0.raw"],
    ["--allow", "same-dir", "v3-chain.qcow2"],
    ["v1-compressed.qcow"],
    ["--start-offset", "1000", "--max-length", "70000", "v3-512.qcow2", "--allow", "same-dir"],
    ["--snapshot", "snapshot.name=first", "v2-snapshots.qcow2"],
    ["-l", "snapshot.id=1", "v2-snapshots.qcow2"],
]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(DATA, tmp_path_factory.mktemp("receipt") / "data"))


@pytest.fixture(autouse=True)
def folder(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all images, in which the command is called."""
    for path in images.iterdir():
        (tmp_path / path.name).hardlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QCOWSPEC_TEST_SECRET", "qcowspec")
    return tmp_path


def converted(*words: str, out: str = "out") -> dict[str, Any]:
    done = run("convert", "--receipt", "out.json", *words, out)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    made: dict[str, Any] = json.loads(Path("out.json").read_text())
    return made


def sha(path: str | Path) -> str:
    return sha256(Path(path).read_bytes()).hexdigest()


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_what_stands_in_a_receipt_is_so(words: list[str], folder: Path) -> None:
    made = converted(*words)

    SCHEMA.validate(made)
    name = next(word for word in words if (DATA / word).exists())
    plain = [word for word in words if word not in ("-O", "qcow2", "-c", "--canonical", "-o")]
    plain = [word for word in plain if "=" not in word or "snapshot" in word]
    disk = run_bytes("convert", *plain, "-").stdout
    result, source = made["result"], made["source"]
    assert result["disk"] == source["disk"]
    assert result["disk"] == {"length": len(disk), "sha256": sha256(disk).hexdigest()}
    assert (result["name"], result["sha256"]) == ("out", sha("out"))
    assert result["length"] == Path("out").stat().st_size
    assert source["files"][0]["name"] == name
    for each in source["files"]:
        assert each["sha256"] == sha(each["name"])
        assert each["length"] == Path(each["name"]).stat().st_size
    sides = [("out", result, "besides")] if result["format"] == "qcow2" else []
    sides += [(name, source, "left_behind")] if not name.endswith("raw") else []
    for path, side, key in sides:
        for profile, verdict in side["verdicts"].items():
            done = run("validate", "--json", "-p", profile, "--allow", "same-dir", path)
            told = json.loads(done.stdout)
            assert (verdict["verdict"], verdict["judged"]) == (told["verdict"], told["judged"])
            for found in ("errors", "warnings"):
                assert set(verdict[found]) == {each["rule"] for each in told[found]}
        usage = json.loads(run("usage", "--deep", "--json", path).stdout)
        for kind, total in side[key]["kinds"].items():
            assert total.items() <= usage["kinds"][kind].items()
        hidden = sum(each.get("nonzero", 0) for each in side[key]["kinds"].values())
        assert hidden == usage["cavities"]["nonzero"]
    if result["format"] == "qcow2":
        assert result["verdicts"]["untrusted"]["verdict"] == "accept"
        assert set(result["besides"]["kinds"]) <= {
            "header-extensions", "header-padding", "table-padding", "compressed-padding",
            "beyond-disk",
        }  # fmt: skip
    text = Path("out.json").read_text()
    assert str(folder) not in text
    assert FROM not in text

    again = Path("out.json").read_bytes()
    assert converted(*words) == made
    assert Path("out.json").read_bytes() == again
    done = run("verify", "out.json", "out")
    assert (done.returncode, done.stderr) == (0, "")


def test_it_lists_what_was_left_behind() -> None:
    left = converted("--allow", "same-dir", "showcase.qcow2")["source"]["left_behind"]

    assert (left["snapshots"], left["bitmaps"]) == (2, 1)
    assert left["backing_file"] == "showcase-base.qcow2"
    assert left["kinds"]["free"] == {"bytes": 131072, "nonzero": 18}
    assert "dirty bit" in left["feature_names"]["names"]
    assert converted("v3-leaks.qcow2")["source"]["left_behind"]["leaked_clusters"] == 1


def test_it_counts_what_a_salvage_lost() -> None:
    Path("cut.qcow2").write_bytes((DATA / "v3-zlib.qcow2").read_bytes()[:-30000])
    done = run("convert", "--salvage", "--json", "--receipt", "out.json", "cut.qcow2", "out")

    told, made = json.loads(done.stdout), json.loads(Path("out.json").read_text())
    assert done.returncode == 1
    SCHEMA.validate(made)
    lost = sum(each["length"] for each in told["lost"])
    assert made["lost"] == {"bytes": lost, "ranges": len(told["lost"])} != {"bytes": 0, "ranges": 0}


def test_the_rules_are_those_of_the_package() -> None:
    made = converted("v3-zlib.qcow2")

    assert made["rules"]["sha256"] == rules_sha256() == sha(ROOT / "generated" / "rules.json")


def test_names_are_without_secrets() -> None:
    qemu.run(
        "qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw",
        "-b", "https://user:hush@example.com/base.raw?key=hush", "named.qcow2", "1M",
    )  # fmt: skip
    made = converted("--no-backing", "named.qcow2")

    assert "hush" not in Path("out.json").read_text()
    assert made["source"]["left_behind"]["backing_file"] == "https://example.com/base.raw"


@pytest.mark.parametrize(
    "words",
    [
        ["--receipt", "out.json", "v3-zlib.qcow2", "-"],
        ["--receipt", "out.json", "v3-zlib.qcow2", "/dev/null"],
        ["--receipt", "-", "v3-zlib.qcow2", "out"],
        ["--receipt", "out", "v3-zlib.qcow2", "out"],
        ["--receipt", "v3-zlib.qcow2", "v3-zlib.qcow2", "out"],
        ["--receipt", "./v3-chain-0.raw", "--allow", "same-dir", "v3-chain.qcow2", "out"],
    ],
    ids=" ".join,
)
def test_what_cannot_have_a_receipt_is_bad_usage(words: list[str]) -> None:
    done = run("convert", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert not Path("out").exists()
    assert not Path("out.json").exists()


@pytest.mark.parametrize("receipt", ["missing/out.json", "."])
def test_a_receipt_without_a_place_is_an_error_before_anything_is_written(receipt: str) -> None:
    done = run("convert", "--receipt", receipt, "v3-zlib.qcow2", "out")

    assert done.returncode == 1
    assert done.stderr.startswith(f"qcowspec: {receipt}: the receipt cannot be written: ")
    assert not Path("out").exists()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file can have more bytes than the image that is written, and fewer than its receipt."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_out_stays_if_the_receipt_cannot_be_written() -> None:
    words = ["-O", "qcow2", "-o", "cluster_size=512", "--receipt", "out.json"]
    done = run("convert", *words, "v3-size-0.qcow2", "out")

    assert done.returncode == 1
    assert done.stderr == (
        "qcowspec: out.json: the receipt cannot be written: file too large;"
        " out is whole, and is kept\n"
    )
    assert qemu.run("qemu-img", "check", "out").returncode == 0
    assert not any(path.name.startswith("out.json") for path in Path().iterdir())


def test_a_disk_that_takes_too_long_has_no_receipt() -> None:
    qemu.run("qemu-img", "create", "-q", "-f", "qcow2", "large.qcow2", str(LARGEST + 512))
    done = run("convert", "-O", "qcow2", "--receipt", "out.json", "large.qcow2", "out")

    assert done.returncode == 1
    assert f"a receipt covers at most {LARGEST}" in done.stderr
    assert not Path("out").exists()


def test_a_file_that_is_another_disk_has_no_receipt() -> None:
    with qcowspec.open("v3-zlib.qcow2") as one, qcowspec.open("v3-zstd.qcow2") as other:
        disk = one.disk()
        read = Read(one, disk, 0, disk.size - 512, Deny())
        with pytest.raises(Invalid, match="does not read back as the disk"):
            receipt(read, other, "out", options={}, losses=Losses())


# --- verify ---------------------------------------------------------------------------------------


def differences(*words: object) -> set[str]:
    done = run("verify", "--json", *words)
    found = json.loads(done.stdout)
    rows = {row["what"] for row in found["comparisons"] if not row["equal"]}
    assert (done.returncode, found["equal"]) == ((1, False) if rows else (0, True))
    text = run("verify", *words)
    assert text.returncode == done.returncode
    assert all(f"  {row}: " in text.stdout for row in rows)
    return rows


def test_every_difference_is_noticed() -> None:
    converted("-O", "qcow2", "--canonical", "v3-zlib.qcow2")
    whole = Path("out").read_bytes()
    assert differences("out.json", "out") == set()

    data = bytearray(whole)
    data[65536 + 5] ^= 1  # the first cluster of data
    Path("out").write_bytes(data)
    assert differences("out.json", "out") == {"sha256", "disk.sha256"}
    data = bytearray(whole)
    data[65535] ^= 1  # padding of the header
    Path("out").write_bytes(data)
    assert differences("out.json", "out") == {"sha256", "verdicts.spec", "verdicts.untrusted"}
    Path("out").write_bytes(whole + b"x")
    assert differences("out.json", "out") == {"length", "sha256"}
    Path("out").write_bytes(whole[:100])
    assert {"length", "sha256", "disk.sha256"} <= differences("out.json", "out")
    Path("out").write_bytes(b"")
    assert {"length", "sha256", "disk.length", "disk.sha256"} <= differences("out.json", "out")
    assert run("convert", "-O", "qcow2", "-c", "v3-zlib.qcow2", "out").returncode == 0
    assert differences("out.json", "out") == {"length", "sha256"}  # another file, the same disk
    assert "disk.length" in differences("out.json", "v3-backing.qcow2")


def test_a_raw_file_is_never_taken_for_an_image() -> None:
    """Its guest may have written an image's header to it, which names a backing file."""
    shutil.copy("v3-backing.qcow2", "inner.raw")
    made = converted("-f", "raw", "inner.raw")
    assert made["result"]["verdicts"] is None
    assert differences("out.json", "out") == set()

    Path("out").write_bytes(Path("out").read_bytes()[:-1] + b"x")
    assert differences("out.json", "out") == {"sha256", "disk.sha256"}


def test_other_rules_are_reported_and_no_difference() -> None:
    made = converted("-O", "qcow2", "v3-zlib.qcow2")
    made["rules"]["sha256"] = "0" * 64
    Path("out.json").write_text(json.dumps(made))

    done = run("verify", "out.json", "out")
    assert done.returncode == 0
    assert "made by other rules" in done.stdout
    assert json.loads(run("verify", "--json", "out.json", "out").stdout)["rules"]["equal"] is False


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": "qcowspec.receipt/1"}',
        b'{"schema": "qcowspec.receipt/1", "result": 1' + b"0" * 9000 + b"}",
        b" " * (verification.LARGEST_RECEIPT + 1),
        b'{"schema": "qcowspec.receipt/2"}',
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_is_no_receipt_is_refused_in_a_sentence(data: bytes) -> None:
    Path("bad.json").write_bytes(data)
    done = run("verify", "bad.json", "v3-zlib.qcow2")

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("qcowspec: bad.json: ")


def test_what_the_schema_refuses_is_refused() -> None:
    """In the parts that are compared; of hostile receipts, whatever stands in them."""
    made = json.dumps(converted("-O", "qcow2", "v3-zlib.qcow2"))
    chance, said = random.Random(22), set[str]()
    values: list[Any] = [
        None,
        True,
        -1,
        1 << 70,
        1.5,
        "",
        "x" * 64,
        "raw",
        [],
        {},
        ["\x1b[2J"],
        [1],
    ]
    for _ in range(600):
        document = json.loads(made)
        parts = {"schema": document, "rules": document, "result": document}
        node, key = chance.choice([(each, name) for name, each in parts.items()])
        while isinstance(child := node[key], dict) and chance.random() < 0.8:
            node, key = child, chance.choice(list(child))
        if chance.random() < 0.2:
            del node[key]
        else:
            node[key] = chance.choice(values)
        is_right = SCHEMA.is_valid(document)
        try:
            verification.parsed(json.dumps(document).encode())
            assert is_right or key in UNUSED
        except verification.NoReceipt as error:
            assert not is_right
            said.add(str(error))
    assert len(said) > 10
    assert all(each.isprintable() for each in said)


UNUSED = {
    "name", "besides", "kinds", "leaked_clusters", "snapshots", "bitmaps", "backing_file",
    "data_file", "feature_names", "unknown_extensions", "not_followed", "count", "names", "bytes",
    "nonzero", "profile", "judged", "warnings", "not_looked_at", "header-extensions",
    "header-padding", "table-padding",
}  # fmt: skip
"""Keys that `verify` does not compare, and does not look at."""


def test_a_file_that_cannot_be_read_is_no_difference() -> None:
    converted("-O", "qcow2", "v3-zlib.qcow2")

    for words in (["out.json", "missing"], ["missing", "out"], ["out.json"], ["out.json", "."]):
        done = run("verify", *words)
        assert (done.returncode, done.stdout) == (2, ""), words
