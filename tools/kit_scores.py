"""Prints scores of the conformance kit as tables in Markdown, as docs/kit.md shows them.

    python -m tools.kit_scores 'qemu-img=a.json' 'dissect=b.json'

Each argument is a reader's name and what `qcowspec kit run --json` printed of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FAULTS = ("crash", "sanitizer", "hang", "memory")
KINDS = ("accepted", "rejected", "wrong-bytes", "ciphertext", *FAULTS)


def tables(scores: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The scores in all, by feature, and what is to be told in private."""
    kinds = [kind for kind in KINDS if any(each["kinds"].get(kind) for each in scores.values())]
    yield f"| reader | asked | right | {' | '.join(kinds)} | rules held |\n"
    yield f"| --- |{' --: |' * (len(kinds) + 3)}\n"
    for name, score in scores.items():
        counts = " | ".join(str(score["kinds"].get(kind, 0) or "·") for kind in kinds)
        held = sum(set(count) == {"right"} for count in score["rules"].values())
        rules = f"{held} of {len(score['rules'])}"
        yield f"| {name} | {score['asked']} | {score['right']} | {counts} | {rules} |\n"
    yield "\n"
    features = list(dict.fromkeys(f for each in scores.values() for f in each["features"]))
    yield f"| feature | {' | '.join(scores)} |\n"
    yield f"| --- |{' --: |' * len(scores)}\n"
    for feature in features:
        cells = []
        for score in scores.values():
            count = score["features"].get(feature, {})
            asked = sum(count.values())
            cells.append(f"{count.get('right', 0)}/{asked}" if asked else "")
        yield f"| {feature} | {' | '.join(cells)} |\n"
    yield "\n"
    yield "| reader | report privately first: rules, or cases where there is no rule |\n"
    yield "| --- | --- |\n"
    for name, score in scores.items():
        private = [found for found in score["findings"] if "note" in found]
        told = dict.fromkeys(found["rule"] or found["case"] for found in private)
        if told:
            yield f"| {name} | {', '.join(f'`{each}`' for each in told)} |\n"


def main() -> None:
    """Print the tables of some scores."""
    pairs = (argument.partition("=") for argument in sys.argv[1:])
    sys.stdout.writelines(tables({name: json.loads(Path(p).read_text()) for name, _, p in pairs}))


if __name__ == "__main__":
    main()
