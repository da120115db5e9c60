"""Runs the coverage-guided fuzzer of our own parsers; see --help and docs/fuzz.md.

Comes in: a budget. Goes out: how many inputs were tried, and the inputs that hurt, in a folder.
Refuses: to go on after a find.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "generated"), str(ROOT / "formats")]

from tools.fuzz import corpus  # noqa: E402 - the line above has to come first

STATE = "executions.json"
EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
BEGUN = re.compile(r"^#(\d+)\s+INITED", re.MULTILINE)
MEMORY = 2048
"""MiB after which an input is one that hurts."""

STUCK = 1200
"""Seconds after which libFuzzer ends what `target` cannot, by the clock on the wall."""

LARGE = 8
"""One in so many slices tries the large inputs."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/fuzz/run.py",
        description="Fuzzes our own parsers with atheris (pip install '.[atheris]'): opens "
        "every input, lays it open, judges, dumps, maps and reads it. Only QcowError is allowed. "
        "The corpus and the count are kept: the same command goes on where it was left.",
    )
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "fuzz", metavar="DIR")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs in all")
    parser.add_argument("--seconds", type=float, default=600, help="for this call")
    parser.add_argument("--slice", type=float, default=300, help="seconds of one process")
    return parser.parse_args()


def _slice(folder: Path, seconds: float, runs: int, large: bool) -> tuple[int, bool]:
    """Run one process; how many new inputs it tried, and whether all is well."""
    inputs = folder / ("large" if large else "small")
    known = sum(1 for _ in inputs.iterdir())  # tried again first, and not counted
    options = [
        f"-max_total_time={max(1, round(seconds))}",
        f"-runs={runs + 2 * known}",
        f"-timeout={STUCK}",
        f"-rss_limit_mb={MEMORY}",
        f"-max_len={corpus.LARGEST if large else corpus.SMALL}",
        f"-dict={folder / 'words'}",
        f"-artifact_prefix={folder / 'finds'}/",
        "-entropic_scale_per_exec_time=1",
        "-print_final_stats=1",
    ]
    target, log = Path(__file__).with_name("target.py"), folder / "log"
    with log.open("wb") as said:
        done = subprocess.run(
            [sys.executable, str(target), str(inputs), *options],
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
        )
    text = log.read_text("utf-8", "replace")
    executed, begun = EXECUTED.findall(text), BEGUN.findall(text)
    count = int(executed[-1]) - int(begun[-1]) if executed and begun else 0
    return count, done.returncode == 0


def main() -> int:
    """Runs the command line; 1 where an input hurt."""
    arguments = _arguments()
    folder: Path = arguments.output
    (folder / "finds").mkdir(parents=True, exist_ok=True)
    if not (folder / "small").is_dir():
        small, large = corpus.write(folder / "small", folder / "large")
        print(f"{small} small and {large} large inputs to begin with")
        (folder / "words").write_text(corpus.dictionary())
    state = folder / STATE
    done = {"executions": 0, "slices": 0} | (
        json.loads(state.read_text()) if state.exists() else {}
    )
    end = time.monotonic() + arguments.seconds
    well = True
    while well and done["executions"] < arguments.runs and (left := end - time.monotonic()) > 0:
        seconds, runs = min(left, arguments.slice), arguments.runs - done["executions"]
        count, well = _slice(folder, seconds, runs, done["slices"] % LARGE == LARGE - 1)
        done = {"executions": done["executions"] + count, "slices": done["slices"] + 1}
        state.write_text(json.dumps(done) + "\n")
        print(f"{done['executions']} executions", flush=True)
        if well and not count:
            print(f"the fuzzer tried nothing; see {folder / 'log'}")
            return 2
    if not well:
        print(f"an input hurts: see {folder / 'finds'} and {folder / 'log'}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
