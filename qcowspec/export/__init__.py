"""The guest's disk as other tools want it.

In: an image. Out: a file of an fsspec file system; exports of nbdkit. Refuses: what
opening and reading refuse.
"""
