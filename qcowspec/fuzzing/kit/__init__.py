"""The conformance kit: small images, and what a reader has to make of each.

`cases` says what there is, `expectations` what has to come of it, `making` writes it down, and
`scoring` holds a reader to it.
"""
