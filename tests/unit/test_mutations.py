"""Mutations record what they change, break what they are asked to break, and repeat themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from qcow_parsers.catalogue import RULES

from qcowspec.cli.mutate import command
from qcowspec.fuzzing import batches, vectors
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.judging import judge
from qcowspec.fuzzing.mutations import MUTATIONS, Mutant, Unfit, break_rule, break_rules, mutate
from qcowspec.fuzzing.patches import apply
from qcowspec.fuzzing.places import Places
from qcowspec.fuzzing.vectors import base
from qcowspec.reader.verdict import validate
from qcowspec.spec.rules import BY_ID

DATA = Path(__file__).parents[1] / "data"
SHOWCASE = DATA / "showcase.qcow2"

SMALL = [name for name in vectors.bases() if name != "v3-2m"]
"""Bases that are quick to copy."""


def undone(mutant: Mutant) -> bytes:
    """The image before the changes, from the record alone."""
    data = bytearray(mutant.data)
    for change in reversed(mutant.changes):
        if not change.new:
            data[change.offset :] = change.old
            continue
        data[change.offset : change.offset + len(change.new)] = change.old
        if len(change.old) < len(change.new):
            del data[change.offset + len(change.old) :]
    return bytes(data)


# --- Mutations at random --------------------------------------------------------------------------


def mutants_of(name: str) -> Iterator[Mutant]:
    """Mutants by one mutation, of those bases that it fits."""
    for seed in SMALL:
        for number in range(4):
            try:
                yield mutate(base(seed), Random(number), names=[name], most=1)
            except Unfit:
                break


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_changes_some_base_and_records_it(name: str) -> None:
    made = list(mutants_of(name))

    assert made
    assert all(mutant.changes for mutant in made)
    known = {name} if name != "vector" else {vector.id for vector in vectors.everything()}
    assert {done for mutant in made for done in mutant.mutations} <= known


@pytest.mark.parametrize("name", SMALL)
def test_the_record_leads_back_to_the_seed(name: str) -> None:
    for number in range(12):
        mutant = mutate(base(name), Random(number))
        # What a file had no bytes for is zeros now: a record tells the bytes, not the length.
        assert undone(mutant).rstrip(b"\0") == base(name).data.rstrip(b"\0")


def test_equal_chance_makes_equal_mutants() -> None:
    seed = SHOWCASE.read_bytes()

    made = [mutate(seed, Random("same")) for _ in range(2)]

    assert made[0] == made[1]


def test_other_chance_makes_other_mutants() -> None:
    seed = SHOWCASE.read_bytes()

    assert len({mutate(seed, Random(number)).data for number in range(8)}) > 4


def test_every_mutation_says_what_it_does() -> None:
    assert [name for name, each in MUTATIONS.items() if not each.says.endswith(".")] == []


def test_mutants_of_what_is_no_image_are_refused() -> None:
    with pytest.raises(Unfit):
        mutate(b"no image", Random(0), names=["header-field"])


# --- Rules broken on purpose ----------------------------------------------------------------------


@pytest.mark.parametrize("rule", [rule.id for rule in RULES if vectors.breaking(rule.id)])
def test_a_rule_can_be_broken_on_some_base(rule: str) -> None:
    for name in dict.fromkeys(vector.base for vector in vectors.breaking(rule)):
        try:
            mutant = break_rule(base(name), rule, Random(0))
        except Unfit:
            continue
        form = str(base(name).image.format)
        found = {finding.rule for finding in judge(mutant.data, form).judge.findings}
        assert rule in found or BY_ID[rule].judged != "opening"
        return
    pytest.fail(f"no vector that breaks {rule} fits its own base")


def test_a_rule_that_no_patch_breaks_is_told_in_a_sentence() -> None:
    with pytest.raises(Unfit):
        break_rule(base("v3-backing"), "backing/chain-depth", Random(0))


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("showcase.qcow2", "header/cluster-bits"),
        ("showcase.qcow2", "snapshots/id-unique"),
        ("showcase.qcow2", "bitmaps/type"),
        ("showcase.qcow2", "extensions/once"),
        ("v3-luks.qcow2", "encryption/luks-slot-active"),
        ("v2-snapshots.qcow2", "snapshots/table-size"),
        ("v1-plain.qcow", "header/v1-l2-bits"),
    ],
)
def test_a_rule_can_be_broken_on_real_images(name: str, rule: str) -> None:
    mutant = break_rule((DATA / name).read_bytes(), rule, Random(1))

    assert rule in judge(mutant.data).broken()


def test_several_rules_can_be_broken_at_once() -> None:
    rules = {"snapshots/id-unique", "bitmaps/type", "header/total-sectors"}

    mutant = break_rules(SHOWCASE.read_bytes(), rules, Random(0))

    assert rules <= set(judge(mutant.data).broken())


def test_what_the_seed_has_not_cannot_be_broken() -> None:
    with pytest.raises(Unfit, match="bitmaps/type"):
        break_rule(base("v1"), "bitmaps/type", Random(0))


def test_a_patch_that_does_not_fit_changes_nothing() -> None:
    draft = Draft(base("v3"))

    with pytest.raises(Unfit):
        apply(draft, [{"field": "header.size", "value": 0}, {"field": "snapshots[0].name"}])

    assert bytes(draft.data) == base("v3").data
    assert draft.changes == []


# --- Places, patches, vectors ---------------------------------------------------------------------


def test_places_have_the_paths_of_a_dump() -> None:
    places = Places(SHOWCASE.read_bytes())

    assert places.find("header.cluster_bits").value == 16
    assert places.find("header_extensions[bitmaps].data.nb_bitmaps").value == 1
    assert places.find("snapshots[0].name").value == b"before the update"
    assert places.find("l1_table[0]").offset == places.find("header.l1_table_offset").value
    assert places.find("l2_tables[0][1]").length == 8


@pytest.mark.parametrize("path", ["header.nothing", "snapshots[9].name", "l1_table[9]", "", "x.y"])
def test_a_path_to_nothing_is_refused(path: str) -> None:
    with pytest.raises(Unfit):
        Places(SHOWCASE.read_bytes()).find(path)


@pytest.mark.parametrize(
    "operation",
    [
        {"nothing": 1},
        {"at": 0},
        {"at": "__import__('os')", "u8": 0},
        {"at": "2 **  9", "u8": 0},
        {"at": "1 +", "u8": 0},
    ],
)
def test_what_is_no_operation_is_refused(operation: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"is no|says not"):
        apply(Draft(base("v3")), [operation])


def test_extensions_are_inserted_before_the_backing_name() -> None:
    draft = Draft(base("v3-backing"))

    apply(draft, [{"extension": 17, "text": "abc"}])

    assert draft.find("backing_file_name").value == b"base.raw"
    assert draft.find("header_extensions[2].magic").value == 17


def test_vectors_are_cheap_to_look_up() -> None:
    code = (
        "import sys; from qcowspec.fuzzing import vectors;"
        "print(vectors.breaking('header/cluster-bits')[0].line);"
        "print(vectors.edge('header/cluster-bits')[0].line);"
        "print({'numpy', 'hypothesis', 'construct', 'kaitaistruct'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    breaking, edge, heavy = done.stdout.splitlines()
    assert breaking.startswith("header/cluster-bits/22: Clusters have 2^22 bytes.")
    assert edge.startswith("header/cluster-bits/21: ")
    assert heavy == "set()"


# --- The command ----------------------------------------------------------------------------------


def mutated(folder: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, ["-o", str(folder), *words])
    return done.exit_code, done.output


def test_the_command_writes_mutants_and_a_manifest(tmp_path: Path) -> None:
    status, said = mutated(tmp_path, str(SHOWCASE), str(DATA / "v1-plain.qcow"), "-n", "10")

    manifest = json.loads((tmp_path / batches.MANIFEST).read_text())
    assert (status, said.startswith("10 mutants in ")) == (0, True)
    files = {row["file"] for row in manifest["mutants"]}
    assert {path.name for path in tmp_path.iterdir()} == {*files, batches.MANIFEST}
    assert len(files) == 10
    for row in manifest["mutants"]:
        assert row.keys() == {
            *("file", "seed", "format", "mutations", "changes", "verdict", "first", "rules")
        }
        ours = validate(str(tmp_path / row["file"]), profile="spec", format=row["format"])
        assert row["verdict"]["spec"] == ("accepts" if ours.accepted else "rejects")


def test_equal_commands_write_equal_files(tmp_path: Path) -> None:
    words = (str(SHOWCASE), "-n", "6", "--seed", "3")
    for folder in ("one", "two"):
        mutated(tmp_path / folder, *words)

    one, two = ({p.name: p.read_bytes() for p in (tmp_path / f).iterdir()} for f in ("one", "two"))
    assert one == two


def test_the_command_breaks_the_rules_that_it_is_given(tmp_path: Path) -> None:
    rules = ("--rule", "bitmaps/type", "--rule", "snapshots/id-unique")
    mutated(tmp_path, str(SHOWCASE), "-n", "3", *rules)

    manifest = json.loads((tmp_path / batches.MANIFEST).read_text())
    for row in manifest["mutants"]:
        assert {"bitmaps/type", "snapshots/id-unique"} <= set(row["rules"])
        assert row["first"] == "bitmaps/type"


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ((str(DATA / "v1-plain.qcow"), "--rule", "bitmaps/type"), 1, "no vector that breaks"),
        ((str(SHOWCASE), "--rule", "bitmaps/nothing"), 2, "no rule has the ID"),
        ((str(SHOWCASE), "--mutation", "nothing"), 2, "there is no mutation"),
        ((str(DATA / "images.toml"),), 2, "is no QCOW image"),
        ((), 2, "an image and -o DIR are needed"),
    ],
)
def test_the_command_says_what_is_wrong(
    words: tuple[str, ...], status: int, says: str, tmp_path: Path
) -> None:
    found, said = mutated(tmp_path, *words)

    assert (found, says in said) == (status, True), said


def test_the_command_lists_the_mutations() -> None:
    said = CliRunner().invoke(command, ["--list"]).output

    assert [line.split()[0] for line in said.splitlines()] == list(MUTATIONS)
