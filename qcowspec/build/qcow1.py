"""Whole images of version 1.

In: an `ImageSpec`. Out: bytes. Refuses: what version 1 cannot express, such as zero clusters.

Source: block/qcow.c: qcow_co_create, get_cluster_offset.
"""

from __future__ import annotations

from qcow_parsers import constants as c

from qcowspec.build.compression import deflated
from qcowspec.build.description import Cluster, ImageSpec, Kind
from qcowspec.build.host import Host
from qcowspec.build.layouts import structure
from qcowspec.build.mapping import ZERO, about, content, tables
from qcowspec.errors import Invalid
from qcowspec.spec.units import align_up


def image(spec: ImageSpec) -> bytes:
    """The bytes of a version 1 image."""
    l1_size = -(-spec.size >> (spec.cluster_bits + spec.l2_bits))
    name_offset = c.QCOW1_HEADER_SIZE
    l1_offset = align_up(name_offset + len(spec.backing_name), c.QCOW1_L1_TABLE_ALIGNMENT)
    l1_end = l1_offset + l1_size * c.QCOW1_TABLE_ENTRY_SIZE
    # Version 1 has no refcounts: the widest ones never overflow.
    host = Host(spec.cluster_bits, c.QCOW2_MAX_REFCOUNT_ORDER)
    host.reserve(l1_end)
    fields = {
        "version": spec.version,
        "backing_file_offset": name_offset if spec.backing_name else 0,
        "backing_file_size": len(spec.backing_name),
        "size": spec.size,
        "cluster_bits": spec.cluster_bits,
        "l2_bits": spec.l2_bits,
        "l1_table_offset": l1_offset,
    }
    host.write(0, structure("qcow1::header", fields | dict(spec.header)))
    host.write(name_offset, spec.backing_name)
    for index, offset in _l2_tables(host, spec).items():
        entry = structure("qcow1::l1_entry", {"l2_table_offset": offset})
        host.write(l1_offset + index * c.QCOW1_TABLE_ENTRY_SIZE, entry)
    return bytes(host.data)


def _l2_tables(host: Host, spec: ImageSpec) -> dict[int, int]:
    """Place the clusters and the L2 tables that map them; offsets of the tables, by index."""
    entries, size = 1 << spec.l2_bits, c.QCOW1_TABLE_ENTRY_SIZE
    placed: dict[int, int] = {}
    for index, group in tables(spec.clusters, entries):
        table = bytearray(entries * size)
        for number, cluster in group:
            with about(index * entries + number):
                fields = _entry(host, cluster, spec) | dict(cluster.fields)
                entry = structure("qcow1::l2_entry", fields, spec.cluster_bits)
            table[number * size : (number + 1) * size] = entry
        placed[index] = host.place(bytes(table))
    return placed


def _entry(host: Host, cluster: Cluster, spec: ImageSpec) -> dict[str, int]:
    kind, data = Kind(cluster.kind), content(cluster, spec.cluster_bits)
    if kind in ZERO:
        raise Invalid("version 1 has no zero clusters", stage="build", field="kind", value=kind)
    if kind is Kind.QCOW2_CLUSTER_UNALLOCATED:
        return {}
    if kind is Kind.QCOW2_CLUSTER_NORMAL:
        return {"offset": host.place(data)}
    packed = cluster.stored or deflated(data)
    return {"csize": len(packed), "coffset": host.pack(packed, 1)}
