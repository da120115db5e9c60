"""The images that vectors are made from.

In: the descriptions of ``bases.toml``. Out: bytes, and where everything stands in them. Refuses:
nothing.

A description has the keys of `qcowspec.build.ImageSpec`. Text stands for bytes; clusters are
listed by index; ``compression_type = "none"`` is a header without that field; ``luks`` has the
fields of a LUKS header, of which texts are filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from qcow_parsers import constants as c

from qcowspec import build
from qcowspec.build import Bitmap, Cluster, ImageSpec, Snapshot, structure
from qcowspec.fuzzing import vectors
from qcowspec.fuzzing.patches import as_fields
from qcowspec.fuzzing.places import Places

TEXT = {"cipher_name": 32, "cipher_mode": 32, "hash_spec": 32, "uuid": 40}
BLANK = {"master_key_digest": bytes(20), "master_key_salt": bytes(32)}
SALT = bytes(32)
"""Bytes of the fields of a LUKS header that hold text, and what is of no matter in it."""


@cache
def base(name: str) -> Places:
    """A base, by its name.

    Raises:
        KeyError: There is none of this name.
    """
    return Places(build.image(spec(vectors.bases()[name])))


def spec(described: Mapping[str, Any]) -> ImageSpec:
    """A description of ``bases.toml`` as the builder's."""
    fields = {name: as_fields(value) for name, value in described.items()}
    fields["clusters"] = _clusters(described.get("clusters", {}))
    for name, made in (("snapshots", Snapshot), ("bitmaps", Bitmap)):
        fields[name] = tuple(made(**_with_clusters(each)) for each in fields.get(name, ()))
    if described.get("compression_type") == "none":
        fields["compression_type"] = None
    if "features" in described:
        fields["features"] = tuple(described["features"])
    if "luks" in described:
        fields["luks"] = _luks(described["luks"])
    return ImageSpec(**fields)


def _clusters(described: Mapping[str, Any]) -> dict[int, Cluster]:
    return {
        int(index): Cluster(cluster.get("data", "").encode(), c.QCow2ClusterType[cluster["kind"]])
        for index, cluster in described.items()
    }


def _with_clusters(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a bitmap, whose clusters are data, by index."""
    if "clusters" not in fields:
        return dict(fields)
    clusters = {int(index): data for index, data in fields["clusters"].items()}
    return {**fields, "clusters": clusters}


def _luks(described: Mapping[str, Any]) -> bytes:
    texts = {name: described[name].encode().ljust(size, b"\0") for name, size in TEXT.items()}
    slots = [{"salt": SALT, **slot} for slot in described["key_slots"]]
    return structure("luks1::header", {**BLANK, **described, **texts, "key_slots": slots})
