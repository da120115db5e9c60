"""Hypothesis strategies for QCOW structures and images, for your own property tests.

In: what an example is to be limited to, such as a version. Out: strategies. Refuses: nothing.

    from hypothesis import given
    from qcowspec.fuzzing import strategies as qcow

    @given(qcow.images(version=3))
    def test_my_reader_opens_what_qemu_opens(data: bytes) -> None: ...

    @given(qcow.mutants(qcow.images()))
    def test_my_reader_survives_anything(data: bytes) -> None: ...

What is drawn, from plain to hostile:

* `specs` and `images`: whole images without a fault, by description and as bytes.
* `structures` and one strategy for each layout: single structures, as a `Structure`: values that
  an image would have, values at the edges of each field, and any others; sizes that contradict
  what they are the size of; text as arbitrary bytes.
* `mutants`: images with some of the mutations of ``qcowspec mutate``.

Needs hypothesis: ``pip install hypothesis``, or the extra ``fuzz``.
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("hypothesis") is None:
    raise ModuleNotFoundError(
        f"{__name__} needs hypothesis: pip install hypothesis", name="hypothesis"
    )

from qcowspec.fuzzing.strategies.entries import (
    bitmap_table_entries,
    l1_entries,
    l2_entries,
    refcount_blocks,
    refcount_table_entries,
    v1_l1_entries,
    v1_l2_entries,
)
from qcowspec.fuzzing.strategies.images import images, specs
from qcowspec.fuzzing.strategies.mutations import fields_of, mutants
from qcowspec.fuzzing.strategies.structures import (
    bitmap_directories,
    bitmap_directory_entries,
    extensions,
    feature_name_tables,
    header_extensions,
    headers,
    luks_headers,
    probes,
    snapshot_tables,
    snapshots,
    structures,
    v1_headers,
    v2_headers,
)
from qcowspec.fuzzing.strategies.values import Structure, numbers, texts

__all__ = [
    "Structure",
    "bitmap_directories",
    "bitmap_directory_entries",
    "bitmap_table_entries",
    "extensions",
    "feature_name_tables",
    "fields_of",
    "header_extensions",
    "headers",
    "images",
    "l1_entries",
    "l2_entries",
    "luks_headers",
    "mutants",
    "numbers",
    "probes",
    "refcount_blocks",
    "refcount_table_entries",
    "snapshot_tables",
    "snapshots",
    "specs",
    "structures",
    "texts",
    "v1_headers",
    "v1_l1_entries",
    "v1_l2_entries",
    "v2_headers",
]
