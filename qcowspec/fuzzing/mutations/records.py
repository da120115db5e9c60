"""Mutations of snapshots, bitmaps and the LUKS header."""

from __future__ import annotations

from random import Random

from qcowspec.build import structure
from qcowspec.fuzzing.drafts import Draft
from qcowspec.fuzzing.mutations.registry import mutation, numbers, pick, qcow2_only, set_to_edge
from qcowspec.fuzzing.places import Place
from qcowspec.spec.units import MAX_L1_ENTRIES

MODES = (b"xts-plain64", b"cbc-essiv:sha256", b"cbc-essiv", b"xts", b"foo-plain", b"cbc-plain:md5")
CIPHERS = (b"aes", b"serpent", b"twofish", b"cast5-128", b"sm4", b"foo", b"")
HASHES = (b"sha1", b"sha256", b"ripemd160", b"foo", b"")
TEXTS = {"cipher_mode": MODES, "cipher_name": CIPHERS, "hash_spec": HASHES}


@mutation(weight=6)
def snapshot_field(draft: Draft, random: Random) -> None:
    """A number of a snapshot, to one at the edge of something."""
    place = pick(random, numbers(draft, "snapshots["), "snapshots")
    set_to_edge(draft, random, place)


@mutation(weight=2)
def snapshot_id(draft: Draft, random: Random) -> None:
    """A snapshot with the ID of another one."""
    texts = [p for p in draft.places.fields if p.path.endswith(".id_str") and p.length]
    _copy_text(draft, random, texts, "snapshots with an ID")


@mutation(weight=3)
def snapshot_graft(draft: Draft, random: Random) -> None:
    """A new snapshot table after the end of the file."""
    qcow2_only(draft)
    extra = random.choice((0, 8, 16, 24, 1024, 1025))
    fields = {
        "l1_table_offset": random.choice((0, draft.base.cluster_size, draft.base.end, 8)),
        "l1_size": random.choice((0, 1, 2, MAX_L1_ENTRIES + 1)),
        "vm_state_size": random.choice((0, 0, 1)),
        "extra_data": {"unknown_extra_data": bytes(extra)} if extra else {},
        "id_str": random.choice((b"1", b"", b"2")),
        "name": b"grafted",
    }
    count = random.choice((1, 1, 2, 3))
    draft.write(draft.base.end, structure("qcow2::snapshot", fields) * count, "snapshots")
    draft.set(draft.find("header.snapshots_offset"), draft.base.end)
    draft.set(draft.find("header.nb_snapshots"), count)


@mutation(weight=7)
def bitmap_field(draft: Draft, random: Random) -> None:
    """A number of a bitmap directory entry, to one at the edge of something."""
    places = [p for p in numbers(draft, "bitmaps[") if "bitmap_table[" not in p.path]
    place = pick(random, places, "bitmaps")
    set_to_edge(draft, random, place)


@mutation(weight=4)
def bitmap_directory(draft: Draft, random: Random) -> None:
    """A number of the bitmaps extension, a little off."""
    fields = ("nb_bitmaps", "bitmap_directory_size", "bitmap_directory_offset", "reserved32")
    place = draft.find(f"header_extensions[bitmaps].data.{random.choice(fields)}")
    step = random.choice((-32, -8, -1, 1, 8, 32, draft.base.cluster_size))
    draft.set(place, max(0, int(place.value or 0) + step))


@mutation(weight=3)
def bitmap_names(draft: Draft, random: Random) -> None:
    """A bitmap with the name of another one."""
    named = [p for p in draft.places.fields if p.path.startswith("bitmaps[") and p.length]
    texts = [place for place in named if place.path.endswith(".name")]
    _copy_text(draft, random, texts, "bitmaps")


def _copy_text(draft: Draft, random: Random, texts: list[Place], what: str) -> None:
    """Overwrite one of the texts with another one of them, cut or padded to its length."""
    place, other = pick(random, texts, what), random.choice(texts).value
    if isinstance(other, bytes):
        draft.write(place.offset, other[: place.length].ljust(place.length, b"\0"), place.path)


@mutation(weight=7)
def luks_field(draft: Draft, random: Random) -> None:
    """A number of the LUKS header, to one at the edge of something."""
    place = pick(random, numbers(draft, "luks_header."), "LUKS header")
    if random.random() < 0.5:
        draft.set(place, max(0, int(place.value or 0) + random.choice((-8, -1, 1, 8))))
    else:
        set_to_edge(draft, random, place)


@mutation(weight=5)
def luks_text(draft: Draft, random: Random) -> None:
    """Another cipher, mode or hash, known or not, terminated or not."""
    name = random.choice(list(TEXTS))
    place = draft.find(f"luks_header.{name}")
    filler = random.choice((b"\0", b"\0", b"\0", b"a"))
    draft.write(place.offset, random.choice(TEXTS[name]).ljust(place.length, filler), place.path)


@mutation(weight=3)
def luks_pointer(draft: Draft, random: Random) -> None:
    """The encryption header pointer, to another place."""
    place = draft.find(f"header_extensions[crypto].data.{random.choice(('offset', 'length'))}")
    set_to_edge(draft, random, place)
