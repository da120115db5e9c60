"""Writes docs/findings.md and docs/findings/ from the folders of campaigns, or prints a spec.

    python tools/findings.py CAMPAIGN...
    python tools/findings.py --spec READER/NAME

A campaign's folder is called as the preset that it ran; others of the same preset have a + and
something more. What the document says of readers of which no campaign is given stays as it is. What
bears on a reader's security is listed with its rule and its build spec, and described no further.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parents[1] / "docs"

LARGEST = 4096
"""Bytes of a build spec that is kept: what takes more is a table of thousands of records."""

PRIVATE = "report privately first"

SECOND_FILES = (
    "backing/untrusted",
    "extensions/untrusted-data-file",
    "header/data-file",
    "probe/untrusted-foreign",
)
"""What the rules about files that an image names begin with: a gate that lets them pass is open."""

READERS = {
    "qemu-img": "qemu-img 7.2 (Debian 12), `info`",
    "libqcow": "libqcow 20260703 by its Python binding, reading all of the disk",
    "dissect": "dissect.hypervisor 3.21 with backports.zstd, reading all of the disk",
    "oslo": "oslo.utils 10.2.0, `detect_file_format` and `safety_check`",
    "qcowinfo": "libqcow 20201213's `qcowinfo` (Debian 12)",
    "7z-read": "7-Zip 26.01, `7z e -so -tqcow`, reading all of the disk",
}

HEAD = """# What campaigns found

Made by `python tools/findings.py` from campaigns of `qcowspec fuzz`; a test builds every spec and
judges it. The specs of a reader stand by name in its file of [findings](findings). To see one
again, with the reader installed:

```sh
python tools/findings.py --spec oslo/private-88 | qcowspec build - -o image.qcow2
qcowspec fuzz --preset oslo --again image.qcow2
```

A reader is held to a profile: `qemu` means that it should take what `qemu-img info` takes and
refuse what that refuses, `untrusted` that it should refuse what a cloud operator would. A reader
may have good reasons to check less: *accepted* says that it does not look, not that it comes to
harm. Counts are of mutants, in which rules that were broken seldom are aimed at more often. What
bears on the security of another project is marked "{private}", and stands here with its rule and
its build spec only.
"""


@dataclass(frozen=True)
class Row:
    """A finding, as the document has it."""

    kind: str
    rule: str | None
    count: int
    cause: str
    spec: Path | None
    slug: str

    @property
    def is_private(self) -> bool:
        """Whether it bears on the reader's security."""
        if self.kind not in {"accepted", "rejected"}:
            return True
        return self.kind == "accepted" and (self.rule or "").startswith(SECOND_FILES)


def rows_of(campaigns: Iterable[Path]) -> list[Row]:
    """The findings of campaigns against one reader, those of a kind together."""
    rows: dict[str, Row] = {}
    for campaign in campaigns:
        for found in _state(campaign)["findings"]:
            slug, count = found["folder"], found["count"]
            if slug in rows:
                rows[slug] = replace(rows[slug], count=rows[slug].count + count)
                continue
            spec: Path | None = campaign / slug / "spec.yaml"
            if spec is not None and spec.stat().st_size > LARGEST:
                spec = None
            rows[slug] = Row(found["kind"], found["rule"], count, found["cause"], spec, slug)
    return sorted(
        rows.values(), key=lambda row: (row.is_private, row.kind, row.rule or "", -row.count)
    )


def _state(campaign: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((campaign / "state.json").read_text("utf-8"))
    return state


def section(reader: str, campaigns: Sequence[Path]) -> str:
    """What the document says of a reader; its specs are copied."""
    states, rows = list(map(_state, campaigns)), rows_of(campaigns)
    done, answers = sum(state["done"] for state in states), Counter[str]()
    for state in states:
        # How often a reader came to harm is not told.
        answers.update({name: state["answers"][name] for name in ("accepts", "rejects")})
    said = ", ".join(f"{count:,} {answer}" for answer, count in sorted(answers.items()))
    broken = {rule for state in states for rule in state["broken"]}
    lines = [
        f"## {READERS[reader]}",
        "",
        f"Profile `{states[0]['plan']['profile']}`; {done:,} mutants: {said}. "
        f"{len(broken)} rules broken, {len(rows)} findings.",
        "",
        "| finding | rule | mutants | build spec |",
        "| --- | --- | --- | --- |",
    ]
    kept: dict[str, Any] = {}
    lines += [_line(reader, row, number, kept) for number, row in enumerate(rows)]
    _file(reader).write_text(yaml.safe_dump(kept, sort_keys=False, width=100), "utf-8")
    return "\n".join(lines) + "\n"


def _file(reader: str) -> Path:
    return DOCS / f"findings/{reader}.yaml"


def specs(reader: str) -> dict[str, Any]:
    """The build specs of what was found in a reader, by name."""
    found: dict[str, Any] = yaml.safe_load(_file(reader).read_text("utf-8"))
    return found


def _line(reader: str, row: Row, number: int, kept: dict[str, Any]) -> str:
    """A finding as a row of the table; its spec is added to those that are kept."""
    place = "a large table; see `qcowspec rules`"
    if row.spec is not None:
        name = f"private-{number}" if row.is_private else row.slug
        kept[name] = yaml.safe_load(row.spec.read_text("utf-8"))
        place = f"`{reader}/{name}`"
    rule = f"`{row.rule}`" if row.rule else "none"
    told = (PRIVATE, rule, "") if row.is_private else (_cause(row), rule, f"{row.count:,}")
    return f"| {' | '.join(told)} | {place} |"


def _cause(row: Row) -> str:
    words = row.kind if row.kind == "accepted" else row.cause
    return words.replace("|", "\\|").replace("\n", " ")[:160]


def main() -> None:
    """Write the document, or print a build spec."""
    match sys.argv[1:]:
        case ["--spec", name]:
            reader, _, slug = name.partition("/")
            found = specs(reader).get(slug) if reader in READERS else None
            if found is None:
                sys.exit(f"{name}: docs/findings.md names no such spec")
            print(yaml.safe_dump(found, sort_keys=False, width=100), end="")
        case words:
            write(map(Path, words))


def write(folders: Iterable[Path]) -> None:
    """Write the document and the specs from the folders of campaigns."""
    campaigns: dict[str, list[Path]] = {}
    for name in folders:
        campaigns.setdefault(name.name.partition("+")[0], []).append(name)
    document = DOCS / "findings.md"
    known = written(document.read_text("utf-8")) if document.exists() else {}
    known |= {reader: section(reader, folders) for reader, folders in campaigns.items()}
    parts = [
        HEAD.format(private=PRIVATE),
        *(known[reader] for reader in READERS if reader in known),
    ]
    document.write_text("\n".join(parts), "utf-8")


def written(text: str) -> dict[str, str]:
    """The sections of a document, by reader."""
    sections = [f"## {each}" for each in text.split("\n## ")[1:]]
    titles = {title: reader for reader, title in READERS.items()}
    found = {titles[each.partition("\n")[0].removeprefix("## ")]: each for each in sections}
    return {reader: each.rstrip("\n") + "\n" for reader, each in found.items()}


if __name__ == "__main__":
    main()
