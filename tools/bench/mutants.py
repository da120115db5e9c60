"""How many mutants a second are made and judged, in process, on one core.

    python tools/bench/mutants.py [--count N] [--profile PROFILE]

A mutant is drawn as a campaign draws it, and its verdict found out, with the rule that is broken.
Figures are of processor time, so that a busy machine is no slow one.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from random import Random

from qcowspec.fuzzing.campaign.oracle import Oracle
from qcowspec.fuzzing.campaign.stock import Stock

PROMISED = 2000


def main() -> None:
    """Take the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--profile", default="qemu")
    options = parser.parse_args()
    start = time.process_time()
    stock, oracle = Stock(), Oracle(options.profile)
    stock.rules()
    ready = time.process_time()
    tried, broken, drawing = Counter[str](), Counter[str](), 0.0
    for number in range(options.count):
        before = time.process_time()
        sample = stock.draw(Random(number), tried)  # noqa: S311 - chance, no secret
        drawing += time.process_time() - before
        rule = oracle.expect(sample.data).rule
        tried.update({each for each in (sample.aim, rule) if each})
        broken.update([rule] if rule else [])
    taken = time.process_time() - ready
    print(f"{ready - start:10.2f}  seconds to prepare")
    print(f"{options.count / drawing:10.0f}  mutants drawn a second")
    rate = options.count / taken
    print(f"{rate:10.0f}  mutants drawn and judged a second (promised: {PROMISED})")
    print(f"{len(broken):10}  rules broken, {broken.total()} of {options.count} mutants")


if __name__ == "__main__":
    main()
