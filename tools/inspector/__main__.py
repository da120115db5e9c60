"""Builds the inspector: ``python -m tools.inspector -o inspector.html``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.generator import compiler
from tools.inspector.page import page

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.inspector",
        description="Builds a page on which a QCOW image is dropped to look at it. The page works "
        "from anywhere, also from disk, and makes no request.",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        default=Path("inspector.html"),
        help="where the page is written (default: inspector.html)",
    )
    output = parser.parse_args().output
    try:
        made = page(ROOT)
        output.write_text(made, "utf-8")
    except (compiler.NoCompilerError, compiler.InputError, OSError) as error:
        sys.stderr.write(f"tools.inspector: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
