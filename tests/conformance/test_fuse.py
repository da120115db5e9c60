"""The disk as a file of a FUSE mount, by fsspec's own `fsspec.fuse`."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qcowspec import open as qcowspec_open
from tools.make_test_data import DATA

IMAGE = DATA / "v3-snapshots.qcow2"


def missing() -> str | None:
    """Why nothing can be mounted here; None if it can."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse cannot be opened"
    if ctypes.util.find_library("fuse") is None:
        return "libfuse2 is missing"
    return None if importlib.util.find_spec("fuse") else "fusepy is missing"


@pytest.mark.skipif(missing() is not None, reason=f"no FUSE mount: {missing()}")
def test_a_mount_has_the_disk_and_its_snapshots(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    line = [sys.executable, "-m", "fsspec.fuse", f"qcow::file://{IMAGE}", "/", str(place)]
    mount = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        while not os.path.ismount(place):
            if mount.poll() is not None:
                assert mount.stderr is not None
                said = mount.stderr.read().decode()
                if "fuse: mount failed" in said or "fusermount" in said:
                    pytest.skip(f"no FUSE mount: {said.splitlines()[0]}")
                pytest.fail(said)
            time.sleep(0.02)
        disk = (place / "disk.raw").read_bytes()
        names = sorted(path.name for path in (place / "snapshots").iterdir())
        second = (place / "snapshots" / "größer.raw").read_bytes()
    finally:
        subprocess.run(["umount", "-l", place], check=False, capture_output=True)
        mount.terminate()
        mount.communicate()

    with qcowspec_open(IMAGE) as image:
        assert disk == image.pread(0, image.size)
        assert names == sorted(f"{found.name.decode()}.raw" for found in image.snapshots)
        assert second == image.pread(0, image.disk("2").size, snapshot="2")
