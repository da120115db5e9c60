"""The rules that nobody decides while an image is opened, each with the reason.

In: nothing. Out: a table. Refuses: nothing. A test holds it equal to the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping

from qcowspec.spec.entry_rules import HOLDS

DATA = "needs a cluster inflated"
ENTRIES = "about an entry of a table, which is judged where a profile or a dump asks for it"
FILES = "needs another file, which only the gate opens, or the list of a build's formats"
KEYS = "needs a key"
STREAMS = "about how the bytes come, which whoever reads a stream knows"
WHOLE = "about the whole image, which a check alone goes through"
WRITING = "about a rewrite of the header, and nothing is written here"

UNDECIDED: Mapping[str, str] = {
    **dict.fromkeys(HOLDS, ENTRIES),
    "l2/compressed-data": DATA,
    "l2/v1-compressed-data": DATA,
    "backing/data-file-opens": FILES,
    "backing/data-file-end": FILES,
    "backing/file-opens": FILES,
    "backing/format-known": FILES,
    "backing/loop": FILES,
    "backing/chain-depth": FILES,
    "backing/v1-file-opens": FILES,
    "backing/v1-loop": FILES,
    "backing/v1-chain-depth": FILES,
    "encryption/aes-key": KEYS,
    "encryption/luks-key": KEYS,
    "encryption/luks-unlock": KEYS,
    "encryption/v1-key": KEYS,
    "extensions/rewrite-fits": WRITING,
    "probe/stream": STREAMS,
    "check/past-end": WHOLE,
    "check/refcount-overflow": WHOLE,
    "check/refcount-block-past-end": WHOLE,
    "check/refcount-block-shared": WHOLE,
    "check/refcount-unreadable": WHOLE,
    "check/refcount-too-low": WHOLE,
    "check/leaked-cluster": WHOLE,
    "check/l1-copied": WHOLE,
    "check/l2-copied": WHOLE,
    "check/overlap": WHOLE,
    "check/cluster-shared": WHOLE,
    "check/refcount-past-end": WHOLE,
    "check/table-cut": WHOLE,
    "check/l1-table-empty": WHOLE,
    "check/l2-table-empty": WHOLE,
    "check/l2-entries-empty": WHOLE,
    "check/table-lost": WHOLE,
    "check/v1-past-end": WHOLE,
    "check/v1-overlap": WHOLE,
}
"""Why each rule is left to commands that read more, or do more, than open an image."""
