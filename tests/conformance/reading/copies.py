"""Copies that `convert -O qcow2` makes of an image, and what QEMU and we say of them.

In: an image. Out: an outcome, as `reading.answers` has them. Refused: nothing.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import qcowspec
from qcowspec.check.tiles import Kind
from qcowspec.check.usage import Usage
from qcowspec.check.verdict import validate
from qcowspec.transfer.convert import convert
from qcowspec.transfer.new_image import NewImage, new_image
from qcowspec.transfer.qcow2 import write_qcow2
from tests.command import run
from tests.conformance.reading.answers import TIMEOUT, WITHOUT_ZSTD, Hangs, in_time
from tests.qemu import run as qemu_run
from tools import qemus

OPTIONS = (
    ("", False),
    ("", False),
    ("", True),
    ("compression_type=zstd", True),
    ("compat=0.10", True),
    ("extended_l2=on", False),
    ("cluster_size=512", False),
    ("cluster_size=2M", True),
    ("cluster_size=4k,refcount_bits=1", True),
    ("cluster_size=512,refcount_bits=64", True),
)
"""Options of -o, and whether -c is given; the first two are those of --canonical."""

PADDING = {
    Kind.HEADER_PADDING,
    Kind.TABLE_PADDING,
    Kind.COMPRESSED_PADDING,
    Kind.BEYOND_DISK,
}
"""Cavities that a copy may have, of zeros: what is left of a cluster."""


def copied(
    image: Path, format: str, random: Random, readers: tuple[qemus.Qemu, ...] = ()
) -> tuple[str, str]:
    """Copy the disk of an image with options drawn at random, and look at the copy.

    Args:
        image: The image.
        format: Its format.
        random: Draws the options.
        readers: QEMUs that have to read the copy too.

    Returns:
        ``copied``, and the options; ``refused``, and the rule for which the disk is not read;
        ``unanswered`` if QEMU reads the image for too long; or ``differs``, and how.
    """
    options, compress = random.choice(OPTIONS)
    copy, raw = image.with_name("copy.qcow2"), image.with_name("copy.raw")
    try:
        with in_time(), qcowspec.open(image, format=format, allow="same-dir") as opened:
            disk = opened.disk()
            wanted = new_image(options)
            if disk.size > (1 << 22) * wanted.geometry.cluster_size:  # tables without end
                wanted, compress = NewImage(), False
            write_qcow2(disk, str(copy), wanted, compress=compress)
            convert(disk, str(raw))
        told = _differs(image, format, copy, raw, readers)
    except qcowspec.QcowError as error:
        return ("refused", error.rule or "") if not copy.exists() else ("differs", str(error))
    except Hangs:
        return "differs", "we hang"
    except TimeoutError:
        return "unanswered", ""
    else:
        return ("differs", f"{options} {told}") if told else ("copied", options)
    finally:
        copy.unlink(missing_ok=True)
        raw.unlink(missing_ok=True)


def _differs(
    image: Path, format: str, copy: Path, raw: Path, readers: tuple[qemus.Qemu, ...]
) -> str:
    """What is wrong with a copy; empty if all is right."""
    status, printed = _asked("qemu-img", "compare", "-f", format, "-F", "qcow2", image.name, copy)
    if status:
        return f"compare: {printed}"
    for program in ("qemu-img", *(reader.program() for reader in readers)):
        for words in (["check", copy], ["compare", "-f", "raw", "-F", "qcow2", raw, copy]):
            status, printed = _asked(program, *words)
            if status and not any(without in printed for without in WITHOUT_ZSTD):
                return f"{program} {words[0]}: {printed}"
    done = run("check", "--strict", copy)
    if done.returncode:
        return f"our check: {done.stdout}"
    verdict = validate(str(copy), profile="untrusted", hidden="reject")
    if not verdict.accepted:
        return f"untrusted: {verdict.errors[0].message}"
    with qcowspec.open(copy) as opened:
        usage = Usage(opened, deep=True)
        for tile in usage:
            if tile.also or (tile.kind.is_cavity and (tile.kind not in PADDING or tile.nonzero)):
                return f"usage: {tile}"
    return ""


def _asked(program: str, *words: object) -> tuple[int, str]:
    """Exit status of qemu-img in the image's folder, and what it prints."""
    folder = next(Path(str(word)).parent for word in reversed(words) if "/" in str(word))
    try:
        done = qemu_run("timeout", TIMEOUT, program, *words, cwd=folder, check=False)
    except Exception as error:
        raise TimeoutError from error
    if done.returncode == TIMED_OUT:
        raise TimeoutError
    return done.returncode, f"{done.stdout}{done.stderr}".strip()


TIMED_OUT = 124
"""Exit status of timeout(1) if the time was up."""
