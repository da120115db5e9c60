"""`qcowspec convert`: guest bytes to a raw file."""

from __future__ import annotations

import os
import sys
import time

import click

from qcowspec.cli.images import TakesImages
from qcowspec.cli.output import say
from qcowspec.cli.progress import Bar
from qcowspec.cli.reading import CHOICES, FAILED, PERMISSIONS, allowing, opened, sharing
from qcowspec.errors import QcowError
from qcowspec.report.words import printable


@click.command(
    "convert",
    cls=TakesImages,
    epilog=f"""\b
Examples:
  qcowspec convert disk.qcow2 disk.raw
  qcowspec convert --allow same-dir overlay.qcow2 disk.raw
  qcowspec convert --snapshot before-upgrade disk.qcow2 then.raw
  qcowspec convert --secret env:PASSPHRASE locked.qcow2 open.raw
  qcowspec convert --resume https://example.com/disk.qcow2 disk.raw

{PERMISSIONS}
OUT is sparse, and appears under its name when all of it is written. With --resume what is written
of it before an interruption stays beside it (OUT.partial, OUT.partial.journal), and the same
command goes on from there, if the image has not changed. A snapshot is read at its own
size; --like-qemu reads it at the active state's, as qemu-img convert -l does.

Exit status: 0; 1 the image cannot be read or OUT cannot be written; 2 bad usage.
""",
)
@click.argument("image", metavar="IMAGE")
@click.argument("output", metavar="OUT")
@click.option("-l", "--snapshot", metavar="ID|NAME", help="Read an internal snapshot.")
@allowing
@click.option("-f", "--format", "format_", type=click.Choice(CHOICES), default="auto")
@click.option("--like-qemu", is_flag=True, help="Read a snapshot at the active state's size.")
@sharing
@click.option("-m", "--threads", type=click.IntRange(1, 64), help="Threads at work.")
@click.option("--resume", is_flag=True, help="Keep what is written, and go on with it next time.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def command(
    image: str,
    output: str,
    snapshot: str | None,
    allow: tuple[str, ...],
    secret: str | None,
    format_: str,
    like_qemu: bool,
    force_share: bool,
    threads: int | None,
    resume: bool,
    quiet: bool,
) -> None:
    """Write what the guest sees to a sparse raw file.

    All versions, compressed, encrypted and extended L2 images, snapshots and backing chains.
    """
    from qcowspec.transfer.convert import convert
    from qcowspec.transfer.output import Unwritable

    try:
        with opened(image, format_, allow, secret, like_qemu=like_qemu) as source:
            disk = source.disk(snapshot)
            disk.open_all()
            if not force_share:
                disk.refuse_writers()
            if any(_is_same(output, layer.name) for layer in disk.layers) or any(
                _is_same(output, layer.data.name) for layer in disk.layers
            ):
                raise click.UsageError(f"{output} is a file that is read from")
            name, rate = os.path.basename(output), Rate()
            with Bar(name, disk.size, hidden=quiet, keep=True, says=rate.words) as bar:

                def progress(count: int) -> None:
                    rate.done += count
                    bar.add(count)

                convert(
                    disk,
                    output,
                    threads=threads,
                    progress=progress,
                    resume={"snapshot": snapshot, "like_qemu": like_qemu} if resume else None,
                )
    except QcowError as error:
        say(error)
        sys.exit(FAILED)
    except Unwritable as error:
        click.echo(f"qcowspec: {printable(output)}: cannot be written: {error}", err=True)
        sys.exit(FAILED)


class Rate:
    """How many guest bytes a second are done.

    Attributes:
        done: Guest bytes that are.
    """

    def __init__(self) -> None:
        self.done, self._start = 0, time.monotonic()

    def words(self) -> str:
        """The rate, as text."""
        return f"{self.done / MIB / max(time.monotonic() - self._start, 0.001):,.0f} MiB/s"


MIB = 1 << 20


def _is_same(path: str, other: str) -> bool:
    """Whether two paths are one file."""
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False
