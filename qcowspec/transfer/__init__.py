"""Guest bytes to a file, or against another image's.

In: virtual disks. Out: a raw file, or the first offset where two disks differ. Refuses: what
reading refuses.
"""
