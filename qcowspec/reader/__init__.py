"""The state machine that opens an image, its stages, and who drives it.

In: bytes, as a stage asks for them. Out: metadata, findings, a verdict. Refuses: what its policy
refuses.
"""
