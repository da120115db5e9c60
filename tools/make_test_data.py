"""Make the real images of ``tests/data``, each by the commands of its row in ``images.toml``.

In: the table ``tests/data/images.toml``, and QEMU's own programs (``qemu-img``, ``qemu-io``; for
one row ``qemu-system-x86_64``). Out: the images, and a ``README.md`` beside them that says what
each shows. Refused: an image that ``qemu-img info`` does not open, that ``qemu-img check`` answers
with another exit status than its row says, or that carries a path of the machine it was made on.

    python tools/make_test_data.py [DIR]                   make every image, then the README
    python tools/make_test_data.py [DIR] --only NAME ...   make these rows only, then the README
    python tools/make_test_data.py [DIR] --readme          write the README of what is there

Tests import the table from here (``IMAGES``). Two runs do not give the same bytes: snapshots carry
the time, LUKS images random salts and keys. The committed files are the truth; make again only the
rows that changed (``--only``).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"


@dataclass(frozen=True, kw_only=True)
class Image:
    """One row of the table; ``images.toml`` says what each field is."""

    name: str
    group: str
    flavour: str
    shows: str
    commands: str
    also: Sequence[str] = ()
    format: str = "qcow2"
    passphrase: str | None = None
    check: int = 0
    check_says: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the row: the image, then its companions."""
        return (self.name, *self.also)

    @property
    def open_options(self) -> list[str]:
        """What a QEMU program is given to open the image, in the folder of the images."""
        if self.passphrase is None:
            return ["-f", self.format, self.name]
        opened = f"driver={self.format},encrypt.key-secret=key,file.filename={self.name}"
        return ["--object", f"secret,id=key,data={self.passphrase}", "--image-opts", opened]


def read_table(path: Path) -> tuple[Image, ...]:
    """The rows of the table, in its order."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["image"]
    return tuple(Image(**row) for row in rows)


IMAGES = read_table(DATA / "images.toml")


# --- The language of the commands -----------------------------------------------------------------


def size_of(text: str) -> int:
    """A size in bytes, or in KiB with a ``k`` behind it."""
    return int(text[:-1]) * 1024 if text.endswith("k") else int(text)


def text_of(length: int, first: int) -> bytes:
    """Text that names its own offsets: line n of 8 bytes is the number first + n."""
    return b"".join(b"%07d\n" % (first + line) for line in range(length // 8 + 1))[:length]


def numbers(folder: Path, name: str, size: str, first: str = "0") -> None:
    """Write a text that names its own offsets."""
    (folder / name).write_bytes(text_of(size_of(size), int(first)))


def noise_of(length: int) -> bytes:
    """Bytes that no compressor shortens, the same in every run."""
    blocks = (hashlib.sha256(block.to_bytes(4)).digest() for block in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def noise(folder: Path, name: str, size: str) -> None:
    """Write bytes that no compressor shortens."""
    (folder / name).write_bytes(noise_of(size_of(size)))


def mixture(folder: Path, name: str, size: str, every: str, noisy: str) -> None:
    """Write the text of ``numbers``, but ``every`` so many bytes begin with ``noisy`` of noise."""
    length, period, loud = size_of(size), size_of(every), size_of(noisy)
    text = bytearray(text_of(length, 0))
    for start in range(0, length, period):
        text[start : start + loud] = noise_of(loud)
    (folder / name).write_bytes(text)


def remove(folder: Path, *names: str) -> None:
    """Remove files that only served as input."""
    for name in names:
        (folder / name).unlink()


def patch(folder: Path, name: str, offset: str, old: str, new: str) -> None:
    """Overwrite bytes, given in hex, once they are found to be those expected."""
    with (folder / name).open("r+b") as file:
        file.seek(int(offset))
        found = file.read(len(old) // 2)
        if found != bytes.fromhex(old):
            raise SystemExit(f"{name}: at {offset} stands {found.hex()}, the row expects {old}")
        file.seek(int(offset))
        file.write(bytes.fromhex(new))


# On a machine with a coarse clock QEMU now and then cannot time its key derivation.
TRY_AGAIN = "Unable to get accurate CPU usage"
TRIES = 10

OWN_WORDS: dict[str, Callable[..., None]] = {
    "numbers": numbers,
    "noise": noise,
    "mixture": mixture,
    "rm": remove,
    "patch": patch,
}


def commands_of(image: Image) -> list[str]:
    """The row's commands: a backslash at a line's end continues it, ``#`` begins a comment."""
    lines = image.commands.replace("\\\n", " ").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def run(command: str, folder: Path) -> None:
    """Run one command in ``folder``."""
    words = shlex.split(command)
    if words[0] in OWN_WORDS:
        OWN_WORDS[words[0]](folder, *words[1:])
        return
    fails = words[0] == "!"
    words = words[1:] if fails else words
    typed = ""
    if "<<<" in words:
        here = words.index("<<<")
        # shlex leaves bash's $'...' as a dollar sign and the bare escapes.
        words, typed = words[:here], words[here + 1].removeprefix("$").replace("\\n", "\n") + "\n"
    for _ in range(TRIES):
        done = subprocess.run(
            words,
            cwd=folder,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        if TRY_AGAIN not in done.stderr:
            break
    if (done.returncode != 0) != fails:
        raise SystemExit(f"{command}\nexit status {done.returncode}\n{done.stdout}{done.stderr}")


# --- What is demanded of each image ---------------------------------------------------------------


def qemu_img(folder: Path, verb: str, image: Image) -> subprocess.CompletedProcess[str]:
    """Ask ``qemu-img`` about an image, with its passphrase where it has one."""
    words = ["qemu-img", verb, "--output=json", *image.open_options]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def verify(image: Image, folder: Path) -> None:
    """Hold an image to what its row says."""
    info = qemu_img(folder, "info", image)
    if info.returncode != 0 or json.loads(info.stdout)["format"] != image.format:
        raise SystemExit(f"{image.name}: qemu-img info: {info.stdout}{info.stderr}")
    check = qemu_img(folder, "check", image)
    if check.returncode != image.check:
        raise SystemExit(
            f"{image.name}: qemu-img check exits with {check.returncode}, the row says "
            f"{image.check}\n{check.stdout}{check.stderr}"
        )
    machine = str(folder.resolve()).encode()
    for name in image.files:
        if machine in (folder / name).read_bytes():
            raise SystemExit(f"{name} carries a path of this machine")


def make(image: Image, folder: Path) -> None:
    """Make one row's files and verify them."""
    for name in image.files:
        (folder / name).unlink(missing_ok=True)
    for command in commands_of(image):
        run(command, folder)
    verify(image, folder)


# --- The README -----------------------------------------------------------------------------------

OPENING = """\
<!-- Written by tools/make_test_data.py from images.toml; edit that. -->
# Real images

Made by QEMU's own programs, version 7.2, one a flavour; small, so that every test can read them
whole. `images.toml` is the table: what each shows, and the commands that made it.
`python tools/make_test_data.py [DIR]` runs them all, `--only NAME` those of one image. Two runs do
not give the same bytes (snapshots carry the time, LUKS images random keys): the committed files are
the truth.

Each image passes `qemu-img info`, and `qemu-img check` with exit status 0; where it is another, its
entry says so. `check` knows nothing of version 1 (exit status 63). Names of backing and data files
are relative: QEMU looks for a backing file in the image's folder, but for a data file in the folder
it runs in, so run it here. Encrypted images open with `qcowspec`.

The commands are bash, run in this folder, but for a few words of the script: `numbers FILE SIZE
[FIRST]` writes text in which every 8 bytes are the number of their line; `noise FILE SIZE` bytes
that do not compress; `mixture FILE SIZE EVERY NOISE` text in which every so many bytes begin with
noise; `patch FILE OFFSET OLD NEW` overwrites bytes (hex), once the old ones are found there. `!`
marks a command that is meant to fail.
"""
CHECK_WITHOUT_A_WORD = (0, 63)


def file_row(folder: Path, name: str, flavour: str) -> str:
    """One line of the README's table."""
    content = (folder / name).read_bytes()
    return f"| `{name}` | {flavour} | {len(content)} | `{hashlib.sha256(content).hexdigest()}` |"


def entry(image: Image) -> str:
    """What the README says of one image below the table."""
    says = f"{image.flavour}. {image.shows.strip()}"
    if image.check not in CHECK_WITHOUT_A_WORD:
        says += f" `qemu-img check` exits with {image.check}: {image.check_says}."
    if image.passphrase is not None:
        says += f" Passphrase: `{image.passphrase}`."
    return f"### {image.name}\n\n{says}\n\n```sh\n{image.commands.strip()}\n```\n"


def readme(folder: Path) -> str:
    """The README of the images in ``folder``."""
    parts = [OPENING, "| file | flavour | bytes | sha256 |\n| --- | --- | ---: | --- |"]
    for image in IMAGES:
        parts += [file_row(folder, image.name, image.flavour)]
        parts += [file_row(folder, name, f"with `{image.name}`") for name in image.also]
    group = ""
    for image in IMAGES:
        parts += [""] if group == image.group else ["", f"## {image.group}", ""]
        parts += [entry(image).rstrip()]
        group = image.group
    return "\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", metavar="DIR", nargs="?", type=Path, default=DATA)
    parser.add_argument("--only", metavar="NAME", nargs="+", help="make these rows only")
    parser.add_argument("--readme", action="store_true", help="make no image, only the README")
    options = parser.parse_args(arguments)
    rows = {image.name: image for image in IMAGES}
    chosen: list[str] = [] if options.readme else options.only or list(rows)
    unknown = [name for name in chosen if name not in rows]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}")
    # Some rows crash a program on purpose; their memory is of no interest.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        print(name)
        make(rows[name], options.folder)
    (options.folder / "README.md").write_text(readme(options.folder), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
