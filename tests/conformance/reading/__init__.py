"""Guest bytes, ours and QEMU's: on images written at random, on chains, and on mutants.

In: a seed. Out: what is compared, one case at a time, for the tests here and for the command
`python -m tests.conformance.reading`, which runs as many as it is told. Refused: nothing.
"""
