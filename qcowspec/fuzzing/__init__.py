"""Test images: vectors, mutants, hypothesis strategies, campaigns, the conformance kit.

In: nothing, or valid images. Out: structures and images, valid, unusual and broken. Refuses:
nothing.

`qcowspec.fuzzing.strategies` needs hypothesis, which comes with the extra ``fuzz``.
"""
