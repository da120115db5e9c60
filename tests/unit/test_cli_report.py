"""What `qcowspec report` writes, and how it exits."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from qcowspec.image import lay_open
from qcowspec.report.page.catalogue import KINDS
from qcowspec.report.page.svg import drawn
from tests.command import run

DATA = Path(__file__).parents[1] / "data"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</script><img src=x onerror="alert(1)">\u202e'


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["v3-leaks.qcow2", "-o", "{}/page.html"], 0),
        (["v3-corrupt.qcow2", "-o", "{}/page.html"], 0),
        (["--svg", "v1-plain.qcow", "-o", "{}/page.svg"], 0),
        (["v3-leaks.qcow2", "-o", "-"], 0),
        (["v3-data-file.raw", "-o", "{}/page.html"], 2),
        (["no-such-file.qcow2", "-o", "{}/page.html"], 2),
        (["v3-leaks.qcow2", "-o", "{}/no-such-folder/page.html"], 2),
        (["v3-leaks.qcow2", "-o", "v3-leaks.qcow2"], 2),
        (["v3-leaks.qcow2"], 2),
    ],
)
def test_exit_status(
    words: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DATA)
    before = (DATA / "v3-leaks.qcow2").read_bytes()

    done = run("report", *(word.format(tmp_path) for word in words))

    assert done.returncode == status
    assert len(list(tmp_path.iterdir())) == (status == 0 and words[-1] != "-")
    assert bool(done.stderr) == (status != 0)
    assert (DATA / "v3-leaks.qcow2").read_bytes() == before


def block(page: str, name: str) -> dict[str, object]:
    """A JSON block of a page."""
    (found,) = re.findall(f'<script type="application/json" id="{name}">(.*?)</script>', page)
    data: dict[str, object] = json.loads(found)
    return data


def test_the_page_permits_its_own_script_and_style_and_nothing_else() -> None:
    page = run("report", DATA / "showcase.qcow2", "-o", "-").stdout

    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none';")
    for kind, (text,) in (
        ("script", re.findall(r"<script>(.*?)</script>", page, re.DOTALL)),
        ("style", re.findall(r"<style>(.*?)</style>", page, re.DOTALL)),
    ):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not re.search(r"https?://(?!www\.w3\.org/)|<link|<img|url\((?!#)", page)
    assert block(page, "model")["schema"] == "qcowspec.page/1"
    assert block(page, "catalogue")["schema"] == "qcowspec.page.catalogue/1"


def hostile(tmp_path: Path) -> Path:
    """An image whose snapshot's name, and whose own name, would break out of a page."""
    data = bytearray((DATA / "v3-snapshots.qcow2").read_bytes())
    (start,) = struct.unpack_from(">Q", data, 64)
    length, name = struct.unpack_from(">HH", data, start + 12)
    (extra,) = struct.unpack_from(">I", data, start + 36)
    at = start + 40 + extra + length
    data[at : at + name] = HOSTILE.encode()[:name]
    path = tmp_path / HOSTILE.replace("/", "")
    path.write_bytes(data)
    return path


def test_names_are_text_in_the_page(tmp_path: Path) -> None:
    path = hostile(tmp_path)

    page = run("report", path, "-o", "-").stdout

    assert page.count("</script>") == 3
    assert "<img" not in page
    assert "\u202e" not in page
    model = json.dumps(block(page, "model"))
    assert "onerror" in model


def test_names_are_text_in_the_picture(tmp_path: Path) -> None:
    picture = run("report", "--svg", hostile(tmp_path), "-o", "-").stdout

    root = ET.fromstring(picture)  # noqa: S314 - our own
    assert {item.tag.removeprefix(SVG) for item in root.iter()} == {
        *("svg", "title", "desc", "style", "defs", "pattern", "path", "text", "rect"),
    }
    assert "onerror" in "".join(root.find(f"{SVG}title").itertext())  # type: ignore[union-attr]


def test_the_picture_has_each_kind_and_its_size() -> None:
    path = DATA / "showcase.qcow2"
    with lay_open(str(path)) as image:
        picture = drawn(image)
    sums = json.loads(run("usage", "--json", path).stdout)["kinds"]

    words = [item.text for item in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314
    assert [KINDS[kind].label for kind in sums if KINDS[kind].label not in words] == []
    classes = {item.get("class") for item in ET.fromstring(picture).iter(f"{SVG}path")}  # noqa: S314
    assert set(sums) <= classes
    assert html.escape("showcase.qcow2") in picture
    assert "prefers-color-scheme:dark" in picture


def test_each_cluster_of_a_small_file_is_a_cell() -> None:
    with lay_open(str(DATA / "v3-leaks.qcow2")) as image:
        picture = drawn(image)
        clusters = image.source.length // image.geometry.cluster_size

    cells = set(re.findall(r"M([\d.]+) 58\.0h", picture))
    assert len(cells) == clusters == 8
