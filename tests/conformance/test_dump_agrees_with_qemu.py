"""What dump says of an image is what ``qemu-img info`` and ``qemu-img snapshot`` say of it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from tests.conformance.conftest import of_every_image
from tools.make_test_data import Image

if TYPE_CHECKING:
    from tests.conformance.conftest import Dump, QemuImg

COMPAT = {2: "0.10", 3: "1.1"}
COMPRESSION = {0: "zlib", 1: "zstd"}
CRYPT = {1: "aes", 2: "luks"}
KEY_SLOT_ENABLED = 0x00AC71F3
LUKS_SECTOR = 512
NANOSECONDS = 10**9
NO_ICOUNT = 2**64 - 1


@of_every_image
def test_the_format(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert said.document["format"] == qemu_img.info(image)["format"]


@of_every_image
def test_that_qemu_opens_it(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert qemu_img.info(image)["filename"]

    assert said.document["state"] == "READY"


PATCHED = {"v2-backing-probed.qcow2": ["extensions/slack"]}
"""Where the table's row took an extension away, and left its bytes."""


@of_every_image
def test_that_it_breaks_no_rule(image: Image, said: Dump) -> None:
    rules = [finding["rule"] for finding in said.document["findings"]]

    assert rules == PATCHED.get(image.name, [])


@of_every_image
def test_the_virtual_size(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert said.size == qemu_img.info(image)["virtual-size"]


@of_every_image
def test_the_cluster_size(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert said.cluster_size == qemu_img.info(image)["cluster-size"]


@of_every_image
def test_the_backing_file(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    expected = qemu_img.info(image).get("backing-filename")

    assert said.value("backing_file_name") == expected


@of_every_image
def test_the_format_of_the_backing_file(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    extension = said.extension("backing_format") or {}

    assert extension.get("format") == qemu_img.info(image).get("backing-filename-format")


@of_every_image
def test_whether_it_is_encrypted(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert said.is_encrypted == qemu_img.info(image).get("encrypted", False)


@of_every_image
def test_the_dirty_flag(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert said.bit("incompatible", 0) == qemu_img.info(image)["dirty-flag"]


@of_every_image
def test_the_corrupt_flag(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert said.bit("incompatible", 1) == qemu_img.specific(image).get("corrupt", False)


@of_every_image
def test_the_compat_level(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert COMPAT.get(said.version) == qemu_img.specific(image).get("compat")


@of_every_image
def test_lazy_refcounts(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    expected = qemu_img.specific(image).get("lazy-refcounts", False)

    assert said.bit("compatible", 0) == expected


@of_every_image
def test_the_width_of_refcounts(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    order = said.value("header.refcount_order", 4)

    assert (1 << order if said.version > 1 else None) == qemu_img.specific(image).get(
        "refcount-bits"
    )


@of_every_image
def test_the_compression_type(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    kind = said.value("header.additional_fields.compression_type", 0)

    assert (COMPRESSION[kind] if said.version > 1 else None) == qemu_img.specific(image).get(
        "compression-type"
    )


@of_every_image
def test_extended_l2(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert said.has_extended_l2 == qemu_img.specific(image).get("extended-l2", False)


@of_every_image
def test_the_data_file(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    extension = said.extension("data_file") or {}

    assert extension.get("data_file") == qemu_img.specific(image).get("data-file")


@of_every_image
def test_whether_there_is_a_data_file(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert said.has_data_file == ("data-file" in qemu_img.specific(image))


@of_every_image
def test_whether_the_data_file_is_raw(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    expected = qemu_img.specific(image).get("data-file-raw", False)

    assert said.bit("autoclear", 1) == expected


# --- Snapshots ------------------------------------------------------------------------------------


def snapshots(said: Dump) -> list[dict[str, Any]]:
    """The snapshots as ``qemu-img info`` words them."""
    found = []
    for index in range(len(said.called("snapshots"))):
        at = f"snapshots[{index}]"
        clock = said.value(f"{at}.vm_clock_nsec")
        short_state = said.value(f"{at}.vm_state_size")
        icount = said.value(f"{at}.extra_data.icount", NO_ICOUNT)
        snapshot = {
            "id": said.value(f"{at}.id_str"),
            "name": said.value(f"{at}.name"),
            "date-sec": said.value(f"{at}.date_sec"),
            "date-nsec": said.value(f"{at}.date_nsec"),
            "vm-clock-sec": clock // NANOSECONDS,
            "vm-clock-nsec": clock % NANOSECONDS,
            "vm-state-size": said.value(f"{at}.extra_data.vm_state_size_large", short_state),
        }
        found.append(snapshot if icount == NO_ICOUNT else snapshot | {"icount": icount})
    return found


@of_every_image
def test_the_snapshots(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    assert snapshots(said) == qemu_img.info(image).get("snapshots", [])


def human(count: int) -> str:
    """Bytes as QEMU writes them (util/cutils.c: size_to_str)."""
    step = (math.frexp(count / (1000 / 1024))[1] - 1) // 10 if count else 0
    return f"{count / (1 << 10 * step):.3g} {['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'][step]}B"


SNAPSHOT_LINE = re.compile(
    r"(?P<id>\S+) +(?P<tag>.*?) +(?P<state>[\d.e+]+ \w*B)"
    r" +(?P<date>[\d-]+ [\d:]+) +(?P<clock>[\d:.]+) *(?P<icount>\d*)"
)


@of_every_image
def test_the_list_of_snapshots(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    actual = []
    for index, snapshot in enumerate(snapshots(said)):
        moment = said.field(f"snapshots[{index}].date_sec")
        clock = said.field(f"snapshots[{index}].vm_clock_nsec")
        assert moment is not None
        assert clock is not None
        actual.append(
            {
                "id": snapshot["id"],
                "tag": snapshot["name"],
                "state": human(snapshot["vm-state-size"]),
                "date": moment["meaning"].removesuffix(" UTC"),
                "clock": clock["meaning"],
                "icount": str(snapshot.get("icount", "")),
            }
        )

    lines = [SNAPSHOT_LINE.fullmatch(line) for line in qemu_img.snapshot_list(image)]
    assert actual == [line and line.groupdict() for line in lines]


# --- Bitmaps --------------------------------------------------------------------------------------

BITMAP_FLAGS = {0: "in-use", 1: "auto"}


@of_every_image
def test_the_bitmaps(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    actual = []
    for index in range(len(said.called("bitmaps"))):
        at = f"bitmaps[{index}]"
        flags = said.value(f"{at}.flags")
        actual.append(
            {
                "name": said.value(f"{at}.name"),
                "granularity": 1 << said.value(f"{at}.granularity_bits"),
                "flags": [word for bit, word in BITMAP_FLAGS.items() if flags >> bit & 1],
            }
        )

    assert actual == qemu_img.specific(image).get("bitmaps", [])


# --- Encryption -----------------------------------------------------------------------------------


def text(said: Dump, path: str) -> str:
    """A text of the LUKS header, without the zeros that fill its field."""
    return str(said.value(path)).rstrip("\0")


@of_every_image
def test_the_kind_of_encryption(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    expected = qemu_img.specific(image).get("encrypt", {}).get("format")

    kind = CRYPT.get(said.value("header.crypt_method"))
    # Of version 1 QEMU says that it is encrypted, and not how.
    assert (kind if said.version > 1 else None) == expected


@of_every_image
def test_the_luks_header(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    expected = dict(qemu_img.specific(image).get("encrypt", {}))
    if expected.get("format") != "luks":
        assert said.field("luks_header") is None
        return
    expected.pop("slots")  # a test of their own

    mode, _, generator = text(said, "luks_header.cipher_mode").partition("-")
    generator, _, generator_hash = generator.partition(":")
    # An XTS key is two keys of the cipher's own length.
    keys = 2 if mode == "xts" else 1
    bits = said.value("luks_header.master_key_len") * 8 // keys
    actual = {
        "format": "luks",
        "uuid": text(said, "luks_header.uuid"),
        "cipher-alg": f"{text(said, 'luks_header.cipher_name')}-{bits}",
        "cipher-mode": mode,
        "ivgen-alg": generator,
        "hash-alg": text(said, "luks_header.hash_spec"),
        "payload-offset": said.value("luks_header.payload_offset_sector") * LUKS_SECTOR,
        "master-key-iters": said.value("luks_header.master_key_iterations"),
    }
    assert actual | ({"ivgen-hash-alg": generator_hash} if generator_hash else {}) == expected


@of_every_image
def test_the_key_slots(image: Image, said: Dump, qemu_img: QemuImg) -> None:
    expected = qemu_img.specific(image).get("encrypt", {}).get("slots", [])

    actual = []
    for index in range(8 if said.field("luks_header") else 0):
        at = f"luks_header.key_slots[{index}]"
        active = said.value(f"{at}.active") == KEY_SLOT_ENABLED
        slot = {
            "active": active,
            "key-offset": said.value(f"{at}.key_offset_sector") * LUKS_SECTOR,
        }
        if active:
            slot["iters"] = said.value(f"{at}.iterations")
            slot["stripes"] = said.value(f"{at}.stripes")
        actual.append(slot)
    assert actual == expected
