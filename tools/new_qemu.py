"""What a QEMU that no row knows does otherwise than the newest that was measured.

In: a QEMU. Out: a patch to formats/: the version as measured, a change of its name, and the rows
that it touches; and as remarks what no row can say yet. Refuses: a version that is not here.

The patch is where to begin: the change's text and source are for a person to fill in.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from qcow_parsers.versions import MEASURED

from qcowspec.spec.rules import BY_ID
from tests.conformance import agreement, matrix
from tests.conformance.matrix import Difference
from tools import qemus

ROOT = Path(__file__).parents[1]
FORMATS = ROOT / "formats"

MUTANTS, LIMITS, SEED = 1000, 1000, 1
"""Images that are asked about besides the vectors."""

KNOWN = {qemus.series(version) for version in MEASURED}
NEWEST = f"qemu@{MEASURED[-1]}"


def measure(version: str) -> int:
    """Measure a version, or each that no row knows.

    Returns:
        The exit status: 0 nothing changed, 1 something did, 2 the version is not here.
    """
    try:
        chosen = [q for q in qemus.choose(version or "all") if version or q.series not in KNOWN]
    except LookupError as error:
        print(error, file=sys.stderr)
        return 2
    if not chosen:
        print(f"Every QEMU that is here was measured: {', '.join(MEASURED)}.")
    changed = [_measured(qemu) for qemu in chosen]
    return int(any(changed))


def _measured(qemu: qemus.Qemu) -> bool:
    """Print what changed; whether anything did."""
    found = matrix.differences(replace(qemu, judged_by=NEWEST))
    remarks = [*_remarks(found), *_other_images(qemu)]
    print(f"# QEMU {qemu}, compared with the rows as they are for {MEASURED[-1]}:")
    print(*(f"# {line}" for line in remarks), sep="\n", end="\n" if remarks else "")
    sys.stdout.writelines(patch(qemu, found))
    return bool(found or remarks)


def patch(qemu: qemus.Qemu, found: list[Difference]) -> Iterator[str]:
    """The rows with the change, as `git apply` takes it."""
    change = f"qemu-{qemu.series}"
    rows = FORMATS / "qemu.toml"
    new = rows.read_text("utf-8")
    if qemu.series not in KNOWN:
        entry = f'[[measured]]\nversion = "{qemu.version}"\ndistribution = "?"\n\n[[change]]'
        new = new.replace("[[change]]", entry, 1)
    touched = {rule: line for rule, line in _by_rule(found).items() if line is not None}
    if touched:
        new += f'\n[[change]]\nid = "{change}"\nreleases = ["{qemu.series}"]\nsays = "?"\n'
        new += 'source = "?"\n'
    yield from _diff(rows, new)
    for path in sorted((FORMATS / "rules").glob("*.toml")):
        text = path.read_text("utf-8")
        for rule, key in touched.items():
            text = _with_change(text, rule, change, key)
        yield from _diff(path, text)


def _by_rule(found: list[Difference]) -> dict[str, str | None]:
    """Of each rule that the rows have and QEMU has no more, or with another message: that message.

    An empty message: it is not enforced any more. None: the rows do not have it.
    """
    rules: dict[str, str | None] = {}
    for each in found:
        if each.key is None:
            rules.setdefault(each.rule, None)
        elif each.status == 0:
            rules[each.rule] = ""
        else:
            rules[each.rule] = rules.get(each.rule) or _key_in(each.message)
    return rules


def _key_in(message: str) -> str:
    """What of a message can identify it: without the program's and the image's name."""
    return re.sub(r"^qemu-\w+: (Could not open '[^']*': )?", "", message)


def _with_change(text: str, rule: str, change: str, key: str | None) -> str:
    """A file of rows in which a rule's `qemu` says that it is gone, or has another message."""
    at = text.find(f'id = "{rule}"\n')
    if at < 0:
        return text
    row = re.compile(r"^qemu = \{ (.*) \}$", re.MULTILINE).search(text, at)
    assert row is not None, rule
    said = row[1]
    if "before = " in said or "until = " in said:
        return text  # one row tells of one change; `_remarks` names it
    if not key:
        said += f', until = "{change}"'
    else:
        old = re.search(r'key = ("(?:[^"\\]|\\.)*")', said)
        assert old is not None, rule
        said = said.replace(old[0], f'key = "{key.translate(ESCAPES)}"', 1)
        said += f', before = {{ change = "{change}", {old[0]} }}'
    return f"{text[: row.start()]}qemu = {{ {said} }}{text[row.end() :]}"


ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\"})


def _remarks(found: list[Difference]) -> Iterator[str]:
    """What a patch cannot say: refusals that no row expects, and a rule's second change."""
    for rule, key in _by_rule(found).items():
        qemu = BY_ID[rule].qemu
        if key is not None and (qemu.before or qemu.until):
            says = f"says {key!r}" if key else "does not enforce it"
            yield f"{rule} changes for the second time; this QEMU {says}"
    unexpected: dict[str, list[Difference]] = defaultdict(list)
    for each in found:
        if each.key is None:
            unexpected[each.message].append(each)
    for message, cases in unexpected.items():
        yield f"No row expects this of {', '.join(each.vector for each in cases)}: {message}"


def _other_images(qemu: qemus.Qemu) -> Iterator[str]:
    """What mutants, and images with one number at a limit, show besides."""
    asked = replace(qemu, judged_by=NEWEST)
    for report in (
        agreement.run(MUTANTS, SEED, asked=asked),
        agreement.run_limits(LIMITS, asked=asked),
    ):
        for case in report.disagreements:
            yield from str(case).splitlines()


def _diff(path: Path, new: str) -> Iterator[str]:
    name = path.relative_to(ROOT)
    old = path.read_text("utf-8").splitlines(keepends=True)
    return difflib.unified_diff(old, new.splitlines(keepends=True), f"a/{name}", f"b/{name}")
