"""What a salvage recovers, against ``qemu-img convert --salvage`` and an oracle by cluster."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from random import Random

import pytest

import qcowspec
from qcowspec.errors import QcowError
from qcowspec.guest import Disk
from qcowspec.guest.losses import Loss, Losses
from qcowspec.guest.missing import missing
from tests.conformance.random_images import LARGEST, mutated, seeds_once

MUTANTS = int(os.environ.get("QCOWSPEC_SALVAGED", "240"))
SHARE = 40
"""Mutants of one test."""


def salvaged_by_qemu(path: Path, format_: str) -> bytes | None:
    """The disk as qemu-img salvages it; None of an image that it does not open."""
    out = path.with_suffix(".salvaged")
    done = subprocess.run(
        ["qemu-img", "convert", "--salvage", "-f", format_, "-O", "raw", str(path), str(out)],
        capture_output=True,
    )
    return out.read_bytes() if done.returncode == 0 else None


def lost_bytes(losses: Losses, size: int) -> bytearray:
    """One byte for each of the disk: 1 where it is lost."""
    marks = bytearray(size)
    for each in losses:
        marks[each.offset : each.end] = b"\1" * each.length
    return marks


def strictly(path: Path, format_: str) -> Disk | None:
    """The disk as it is read without a salvage; None where the image is refused."""
    try:
        return qcowspec.open(path, format=format_).disk()
    except QcowError:
        return None


def check(path: Path, format_: str) -> None:
    """Hold one image's salvage against both oracles."""
    with qcowspec.lay_open(path, format=format_) as image:
        if image.header.size > LARGEST:
            return
        try:
            disk = image.disk(salvage=True)
        except QcowError:
            assert strictly(path, format_) is None
            return
        ours = disk.pread(0, disk.size)
        losses = disk.lost_ranges()
        lost = lost_bytes(losses, disk.size)
        theirs = salvaged_by_qemu(path, format_)
        if theirs is not None:
            assert len(ours) == len(theirs)
            fewer = [at for at in range(0, len(ours), 512) if fewer_in(ours, theirs, at)]
            assert not fewer, f"qemu-img recovers more at {fewer[:8]}"
        strict = strictly(path, format_)
        if strict is not None:
            step = image.geometry.cluster_size
            for at in range(0, disk.size, step):
                try:
                    bytes_ = strict.pread(at, step)
                except QcowError:
                    assert any(lost[at : at + step]), f"{at} is lost, and not listed"
                else:
                    assert bytes_ == ours[at : at + step], f"{at} differs"
            past_end = lost_bytes(strict_losses(strict), disk.size)
            for at in range(0, disk.size, step):
                if any(lost[at : at + step]) and not any(past_end[at : at + step]):
                    with pytest.raises(QcowError):
                        strict.pread(at, step)


def strict_losses(disk: Disk) -> Losses:
    """What lies past the end; all of a disk whose tables break rules, so that nobody knows."""
    found = Losses()
    try:
        for each in missing(disk):
            found.add(each)
    except QcowError:
        for at in range(0, disk.size, 512):
            found.add(Loss(at, min(512, disk.size - at), "", None, ""))
    return found


def fewer_in(ours: bytes, theirs: bytes, at: int) -> bool:
    """Whether QEMU has bytes of a sector that we have not."""
    mine, others = ours[at : at + 512], theirs[at : at + 512]
    return mine != others and any(others)


@pytest.mark.parametrize("share", range(-(-MUTANTS // SHARE)))
def test_a_salvage_never_has_fewer_bytes_than_qemu_img(share: int, tmp_path: Path) -> None:
    random = Random(1600 + share)
    for turn in range(SHARE):
        name, format_, places = random.choice(seeds_once())
        data = mutated(random, places)
        if random.random() < 0.3:
            data = data[: random.randrange(512, len(data))]
        path = tmp_path / f"{turn}-{name}.{format_}"
        path.write_bytes(data)
        check(path, format_)
