"""The images of tests/data, their table and their README say the same.

In: the folder, ``images.toml`` and ``README.md`` in it. Nothing is made here and QEMU is not asked:
what the images are is held against ``qemu-img`` by the conformance tests.
"""

import hashlib
import re
from collections import Counter

from tests.every import every
from tools.make_test_data import DATA, IMAGES, readme

NOT_IMAGES = {"README.md", "images.toml", ".gitattributes"}
DESCRIBED = Counter(name for image in IMAGES for name in image.files)

MEBIBYTE = 1 << 20


def table_of_the_readme() -> dict[str, tuple[int, str]]:
    """File name to size and digest, as the README has them."""
    line = re.compile(r"^\| `([^`]+)` \|.*\| (\d+) \| `([0-9a-f]{64})` \|$", re.MULTILINE)
    text = (DATA / "README.md").read_text(encoding="utf-8")
    return {name: (int(size), digest) for name, size, digest in line.findall(text)}


def test_every_image_has_a_row_and_every_row_its_image() -> None:
    present = {path.name for path in DATA.iterdir()} - NOT_IMAGES
    assert set(DESCRIBED) == present


def test_no_image_has_two_rows() -> None:
    assert [name for name, rows in DESCRIBED.items() if rows > 1] == []


def test_the_readme_is_the_one_the_table_gives() -> None:
    assert (DATA / "README.md").read_text(encoding="utf-8") == readme(DATA)


def test_the_readme_lists_every_image() -> None:
    assert set(table_of_the_readme()) == set(DESCRIBED)


@every("name", sorted(DESCRIBED))
def test_the_readme_has_the_size_and_digest_of(name: str) -> None:
    content = (DATA / name).read_bytes()
    expected = (len(content), hashlib.sha256(content).hexdigest())
    assert table_of_the_readme()[name] == expected


@every("name", sorted(DESCRIBED))
def test_no_path_of_a_machine_is_in(name: str) -> None:
    content = (DATA / name).read_bytes()
    assert [path for path in (b"/tmp/", b"/home/", b"/root/") if path in content] == []


def test_every_image_that_does_not_check_clean_says_why() -> None:
    silent = [row.name for row in IMAGES if row.check not in (0, 63) and not row.check_says]
    assert silent == []


def test_a_checkout_stays_small() -> None:
    assert sum((DATA / name).stat().st_size for name in DESCRIBED) < 40 * MEBIBYTE
