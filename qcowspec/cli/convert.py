"""`qcowspec convert`: guest bytes to a raw file."""

from __future__ import annotations

import os
import sys
import time

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.losses import say_past_end, write_losses
from qcowspec.cli.output import STANDARD, is_stdout, say, target_of, unwritable, warn_of_end
from qcowspec.cli.progress import Bar
from qcowspec.cli.reading import CHOICES, FAILED, PERMISSIONS, allowing, is_shared, opened, sharing
from qcowspec.errors import QcowError
from qcowspec.sources import Target


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
  qcowspec convert disk.qcow2 - | sha256sum
  qcowspec convert --salvage broken.qcow2 what-is-left.raw
  qcowspec convert --salvage --output json broken.qcow2 what-is-left.raw
  qcowspec convert --strict download.qcow2 disk.raw

{PERMISSIONS}
OUT is sparse, and appears under its name when all of it is written. A file that is there keeps its
owner, mode and hard links, and a link stays a link: what it leads to is written. A pipe, a device
and - for standard output get all bytes in order, zeros too.

With --resume what is written of OUT before an interruption stays beside it (OUT.partial,
OUT.partial.journal), and the same command goes on from there, if the image has not changed.

A snapshot is read at its own size; --like-qemu reads it at the active state's, as qemu-img convert
-l does.

--salvage reads around what is broken, also of images that QEMU does not open: OUT has zeros there,
and is whole otherwise. It ends with the ranges of the disk that are lost, each with its reason and
the rule to look up, and with the share of the disk that was recovered.

Bytes that lie past the end of a file read as zeros, as QEMU reads them. How many these are, and
where the first is, is reported on stderr; --strict makes it a failure. OUT is kept.

A file that changes while it is read is an error, unless -U accepts that.

Exit status: 0; 1 the image cannot be read or OUT cannot be written; 1 with --salvage, something is
lost, and with --strict, bytes lie past the end of a file: OUT is kept then; 2 bad usage.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@click.argument("output", metavar="OUT")
@click.option("-l", "--snapshot", metavar="ID|NAME", help="Read an internal snapshot.")
@allowing
@click.option("-f", "--format", "format_", type=click.Choice(CHOICES), default="auto")
@click.option("--like-qemu", is_flag=True, help="Read a snapshot at the active state's size.")
@click.option("-m", "--threads", type=click.IntRange(1, 64), help="Threads at work.")
@click.option("--salvage", is_flag=True, help="Read around what is broken, and list what is lost.")
@click.option("--strict", is_flag=True, help="Fail if bytes lie past the end of a file.")
@click.option(
    "--output",
    "shape",
    type=click.Choice(["human", "json"]),
    default="human",
    help="With --salvage, how to list what is lost.",
)
@click.option("--resume", is_flag=True, help="Keep what is written, and go on with it next time.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@sharing
def command(
    image: Target,
    output: str,
    snapshot: str | None,
    allow: tuple[str, ...],
    secret: str | None,
    format_: str,
    like_qemu: bool,
    threads: int | None,
    salvage: bool,
    strict: bool,
    shape: str,
    resume: bool,
    quiet: bool,
) -> None:
    """Write what the guest sees to a sparse raw file; OUT may be - for standard output.

    All versions, compressed, encrypted and extended L2 images, snapshots and backing chains.
    """
    from qcowspec.transfer.convert import convert
    from qcowspec.transfer.places import Unwritable, is_same

    if resume and output == STANDARD:
        raise click.UsageError("--resume needs a file; standard output cannot be resumed")
    try:
        target = target_of(output)
        with opened(image, format_, allow, secret, like_qemu=like_qemu, salvage=salvage) as source:
            disk = source.disk(snapshot, salvage=salvage)
            disk.open_all()
            for layer in disk.layers:
                warn_of_end(layer.name, layer.metadata)
            if not is_shared():
                disk.refuse_writers()
            if any(is_same(target, layer.name) for layer in disk.layers) or any(
                is_same(target, layer.data.name) for layer in disk.layers
            ):
                raise click.UsageError(f"{output} is a file that is read from")
            about = {"snapshot": snapshot, "like_qemu": like_qemu, "salvage": salvage}
            name, rate = os.path.basename(output), Rate()
            with Bar(name, disk.size, hidden=quiet, keep=True, says=rate.words) as bar:

                def progress(count: int) -> None:
                    rate.done += count
                    bar.add(count)

                losses = convert(
                    disk,
                    target,
                    threads=threads,
                    progress=progress,
                    resume=about if resume else None,
                    share=is_shared(),
                )
            size = disk.size
    except QcowError as error:
        say(error)
        sys.exit(FAILED)
    except Unwritable as error:
        unwritable(output, error, FAILED)
    if salvage:
        write_losses(losses, size, shape, err=is_stdout(output))
    else:
        say_past_end(losses)
    if losses and (salvage or strict):
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
