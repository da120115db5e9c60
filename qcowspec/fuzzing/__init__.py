"""Images that nobody made on purpose: strategies, mutations, campaigns.

In: nothing, or valid images. Out: structures and images, valid, odd and broken. Refuses: nothing.

`qcowspec.fuzzing.strategies` needs hypothesis, which comes with the extra ``fuzz``.
"""
