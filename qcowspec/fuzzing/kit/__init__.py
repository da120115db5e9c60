"""The conformance kit: small images, and what a reader has to do with each.

`cases` describes the images, `expectations` records the right answers, `making` writes the kit, and
`scoring` scores a reader with it.
"""
