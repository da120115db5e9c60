"""Images on a server, from an event loop and through fsspec, are the local ones."""

from __future__ import annotations

import asyncio

import fsspec
import pytest

import qcowspec
from qcowspec.export.filesystem import QcowFileSystem
from tests.conftest import Store
from tests.remote.servers import Nginx
from tools.make_test_data import DATA, IMAGES

fsspec.register_implementation("qcow", QcowFileSystem, clobber=True)

# The backing file that v3-backing-json names is one of this machine, and so is no server's.
PLAIN = [
    image.name
    for image in IMAGES
    if image.passphrase is None and image.name != "v3-backing-json.qcow2"
]
LARGEST = 4 << 20


def local(name: str) -> bytes:
    with qcowspec.open(DATA / name, allow="same-dir") as image:
        return image.pread(0, min(LARGEST, image.size))


def test_every_flavour_and_hundreds_at_once_from_an_event_loop(nginx: Nginx) -> None:
    expected = {name: local(name) for name in PLAIN}

    async def is_wrong(name: str) -> bool:
        async with qcowspec.aopen(f"{nginx.url}/{name}", allow="same-dir") as image:
            return await image.pread(0, min(LARGEST, image.size)) != expected[name]

    async def main() -> None:
        names = PLAIN * (200 // len(PLAIN) + 1)
        wrong = await asyncio.gather(*map(is_wrong, names))
        assert [name for name, fails in zip(names, wrong, strict=True) if fails] == []

    asyncio.run(main())


def test_a_url_chain_yields_the_disk(nginx: Nginx) -> None:
    for name in PLAIN:
        with fsspec.open(f"qcow::{nginx.url}/{name}", allow="same-dir") as file:
            assert file.read(LARGEST) == local(name)


def test_a_chain_into_s3_yields_the_disk(store: Store) -> None:
    options = {"key": "AKIAQCOWSPECTESTS", "secret": "a-secret-of-the-tests"}
    url = f"qcow::s3://{store.bucket}/v2-64k.qcow2"
    with fsspec.open(url, s3={**options, "endpoint_url": store.url}) as file:
        assert file.read(LARGEST) == local("v2-64k.qcow2")


def test_a_missing_image_is_said(nginx: Nginx) -> None:
    async def main() -> None:
        async with qcowspec.aopen(f"{nginx.url}/none.qcow2"):
            pass

    with pytest.raises(qcowspec.Unreadable, match=r"none\.qcow2"):
        asyncio.run(main())
    with pytest.raises(qcowspec.Unreadable, match=r"none\.qcow2"):
        fsspec.open(f"qcow::{nginx.url}/none.qcow2")
