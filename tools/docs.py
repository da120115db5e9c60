"""Writes the documents and tables that are made from the specification, and the pictures.

    python tools/docs.py [--check]

`--check` writes nothing, and exits with 1 where a document is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from qcow_parsers.catalogue import RULES

from qcowspec.fuzzing import vectors
from qcowspec.image import lay_open
from qcowspec.report import catalogue, matrix
from qcowspec.report.page.svg import drawn

DOCS = Path(__file__).parents[1] / "docs"
TABLES = DOCS.parent / "generated"
DATA = DOCS.parent / "tests" / "data"

PICTURES = ("showcase.qcow2", "v3-leaks.qcow2", "v3-snapshots.qcow2")
"""Images of the tests' data that documents have a picture of."""


KIT = {"kit-overlap.svg": "check/overlap/l1-table"}
"""Pictures of images of the kit, by the vectors that they are made of."""


def documents() -> dict[Path, str]:
    """Each document and what it has to say."""
    return {
        DOCS / "rules.md": "\n".join(catalogue.markdown()) + "\n",
        DOCS / "matrix.md": "\n".join(matrix.markdown()) + "\n",
        TABLES / "rules.tsv": "\n".join(matrix.tsv(RULES)) + "\n",
        TABLES / "rules.json": matrix.json_text(),
        **{DOCS / "pictures" / f"{Path(name).stem}.svg": picture(name) for name in PICTURES},
        **{DOCS / "pictures" / name: picture_of(line) for name, line in KIT.items()},
    }


def picture(name: str) -> str:
    """What `qcowspec report --svg --deep` draws of an image."""
    with lay_open(str(DATA / name)) as image:
        return drawn(image, deep=True)


def picture_of(line: str) -> str:
    """The same of a vector's image."""
    data = vectors.image(next(each for each in vectors.everything() if each.id == line))
    with TemporaryDirectory() as folder:
        path = Path(folder, "image.qcow2")
        path.write_bytes(data)
        with lay_open(path) as image:
            return drawn(image, deep=True)


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
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
