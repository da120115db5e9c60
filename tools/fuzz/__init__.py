"""The coverage-guided fuzzer of our own parsers; ``python tools/fuzz/run.py --help``.

* ``ordeal``: what is done to an input.
* ``corpus``: the inputs to begin with.
* ``target``: hands inputs to libFuzzer, through atheris; one process.
* ``run``: runs it in slices, within a budget, and counts.
"""
