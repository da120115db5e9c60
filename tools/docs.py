"""Writes the documents that are made from the specification.

    python tools/docs.py [--check]

`--check` writes nothing, and exits with 1 where a document is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

from qcowspec.report.catalogue import markdown

DOCS = Path(__file__).parents[1] / "docs"


def documents() -> dict[Path, str]:
    """Each document and what it has to say."""
    return {DOCS / "rules.md": "\n".join(markdown()) + "\n"}


def stale() -> list[Path]:
    """The documents that do not say it."""
    return [
        path for path, text in documents().items() if not path.is_file() or path.read_text() != text
    ]


def main() -> None:
    """Write or check the documents."""
    if "--check" in sys.argv[1:]:
        for path in stale():
            print(f"stale: {path.relative_to(DOCS.parent)}; run python tools/docs.py")
        sys.exit(bool(stale()))
    for path, text in documents().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
