"""Servers that tests of any folder ask for: started once, when the first of them does.

What is imported, and what a file leaves, is never garbage: tests that collect garbage do not look
through it. Free memory goes back to the system after each file, as many threads leave much of it.

Refused: to pass without nginx where ``CI`` is set; elsewhere its absence is a visible skip.
"""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.remote import servers
from tools.make_test_data import DATA

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


def pytest_collection_finish() -> None:
    """Set aside what is imported."""
    set_aside()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Set aside what a file has left, after its last test."""
    if nextitem is None or nextitem.path != item.path:
        set_aside()


def set_aside() -> None:
    """Have no later collection look at what is there, and give free memory back to the system."""
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of the GNU C library
    if trim is not None:
        trim(0)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the servers serve: all test images, and what tests put there."""
    root = tmp_path_factory.mktemp("served")
    for path in DATA.iterdir():
        (root / path.name).symlink_to(path)
    return root


@pytest.fixture(scope="session")
def nginx(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Nginx]:
    """A real server with ranges."""
    if shutil.which("nginx") is None and not Path("/usr/sbin/nginx").exists():
        if os.environ.get("CI"):
            pytest.fail("nginx is missing, and CI has to have it", pytrace=False)
        pytest.skip("nginx is missing: no server with ranges")
    with servers.nginx(served, tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture(scope="session")
def no_ranges(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server without ranges."""
    with servers.plain(served, tmp_path_factory.mktemp("plain")) as url:
        yield url


@dataclass(frozen=True)
class Store:
    """An S3 endpoint with a bucket.

    Attributes:
        url: The endpoint.
        bucket: The bucket, which has all test images.
    """

    url: str
    bucket: str

    def put(self, key: str, data: bytes) -> None:
        """Put an object there."""
        self.client().put_object(Bucket=self.bucket, Key=key, Body=data)

    def options(self) -> dict[str, str]:
        """Credentials and endpoint, as botocore takes them."""
        return {
            "aws_access_key_id": ACCESS_KEY,
            "aws_secret_access_key": SECRET_KEY,
            "endpoint_url": self.url,
        }

    def client(self) -> Any:
        """A client of the store, by botocore."""
        from botocore.session import Session

        return Session().create_client("s3", region_name="us-east-1", **self.options())


ACCESS_KEY, SECRET_KEY = "AKIAQCOWSPECTESTS", "a-secret-of-the-tests"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real S3 endpoint."""
    with servers.s3(tmp_path_factory.mktemp("s3")) as url:
        made = Store(url, "images")
        client = made.client()
        client.create_bucket(Bucket=made.bucket)
        for path in DATA.iterdir():
            client.put_object(Bucket=made.bucket, Key=path.name, Body=path.read_bytes())
        yield made
