"""What a check of an image on a server reads: its metadata, and little more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import qcowspec
from qcowspec import check
from qcowspec.check.ownership import Owner
from tests.remote.servers import Nginx

PLAIN = int(Owner.DATA)


def metadata(path: Path) -> int:
    """Bytes of the clusters that hold more than guest data."""
    with qcowspec.lay_open(path) as image:
        owners = check.owners(image)
        return int((owners & np.uint16(0xFFFF ^ PLAIN) != 0).sum()) * image.geometry.cluster_size


def test_a_check_transfers_the_metadata_and_little_more(nginx: Nginx, served: Path) -> None:
    path = served / "preallocated.qcow2"
    made = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata"]
    subprocess.run([*made, str(path), "64G"], check=True)
    before = len(nginx.asked())
    words = ["check", "--output", "json", f"{nginx.url}/{path.name}"]
    done = subprocess.run(
        [sys.executable, "-m", "qcowspec", *words], capture_output=True, text=True, check=True
    )
    asked = nginx.asked()[before:]

    assert json.loads(done.stdout)["check-errors"] == 0
    assert sum(each.sent for each in asked) <= 1.1 * metadata(path)
