"""Guest bytes written to a file, or compared with another image's.

In: virtual disks. Out: a raw file, or the first offset where two disks differ. Refuses: what
reading and writing refuse.
"""
