"""`qcowspec convert`: guest bytes to a raw file, or to a new qcow2 image."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from qcowspec.cli.habits import snapshot_of
from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.losses import say_past_end, write_losses
from qcowspec.cli.new_image import check_size, new_image_options, wanted
from qcowspec.cli.options import (
    PERMISSIONS,
    files,
    format_option,
    guest_options,
    json_option,
    progress_option,
    size,
)
from qcowspec.cli.output import FAILED, STANDARD, is_stdout, target_of, unwritable
from qcowspec.cli.progress import Bar
from qcowspec.cli.reading import open_files, opened
from qcowspec.cli.receipt import check_receipt, options_of, receipt_option, write_receipt
from qcowspec.reader.opening import SnapshotKey
from qcowspec.sources import Target
from qcowspec.sources.gate import Gate

if TYPE_CHECKING:
    from qcowspec.guest import Disk, DiskReader
    from qcowspec.image import Image
    from qcowspec.raw import RawImage


@click.command(
    "convert",
    cls=TakesImages,
    unread=FAILED,
    epilog=f"""\b
Examples:
  qcowspec convert disk.qcow2 disk.raw
  qcowspec convert --allow same-dir overlay.qcow2 disk.raw
  qcowspec convert --snapshot before-upgrade disk.qcow2 then.raw
  qcowspec convert --secret env:PASSPHRASE locked.qcow2 open.raw
  qcowspec convert --resume https://example.com/disk.qcow2 disk.raw
  qcowspec convert disk.qcow2 - | sha256sum
  qcowspec convert --partition 1 disk.qcow2 boot.raw
  qcowspec convert --start-offset 1M --max-length 64M disk.qcow2 piece.raw
  qcowspec convert --vm-state suspended disk.qcow2 suspended.vmstate
  qcowspec convert --backing base.qcow2=/moved/base.qcow2 overlay.qcow2 a.raw
  qcowspec convert -O qcow2 -c --allow same-dir overlay.qcow2 flat.qcow2
  qcowspec convert -O qcow2 --canonical upload.qcow2 clean.qcow2
  qcowspec convert -O qcow2 --canonical --receipt r.json a.qcow2 b.qcow2
  qcowspec convert --salvage broken.qcow2 what-is-left.raw
  qcowspec convert --salvage --output json broken.qcow2 what-is-left.raw
  qcowspec convert --strict download.qcow2 disk.raw

{PERMISSIONS}
OUT is sparse, and appears under its name when all of it is written. A file that is there keeps its
owner, mode and hard links, and a link stays a link: what it leads to is written. A pipe, a device
and - for standard output get all bytes in order, zeros too.

With --resume what is written of OUT before an interruption stays beside it (OUT.partial,
OUT.partial.journal), and the same command goes on from there, if the image has not changed.

With -O qcow2, OUT is a flat qcow2 image without snapshots, bitmaps, names or other leftovers; equal
disks become equal bytes if the options are the same. --canonical fixes these: one image for one
disk. Its clusters are not compressed, as compressors change from one version to the next.

--receipt reads the disk and OUT again, and writes down what both are: sizes, SHA-256, verdicts, and
what IMAGE holds besides the disk. Later, qcowspec verify compares OUT with it.

Offsets and lengths count bytes of the disk. A partition is found by the disk's MBR or GPT, and has
the number that Linux gives it.

A snapshot is read at its own size; --like-qemu reads it at the active state's, as qemu-img convert
-l does.

--vm-state writes the state of the machine that a snapshot saved with the disk: RAM and devices, as
savevm wrote them.

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
@click.argument("output", metavar="OUT", shell_complete=files)
@progress_option()
@click.option(
    "-l",
    "--snapshot",
    metavar="ID|NAME",
    callback=snapshot_of,
    help="Read an internal snapshot; snapshot.id=ID and snapshot.name=NAME as for qemu-img.",
)
@click.option("--start-offset", type=size, metavar="SIZE", help="Begin at this byte of the disk.")
@click.option("--max-length", type=size, metavar="SIZE", help="Write this many bytes at most.")
@click.option("--partition", type=click.IntRange(1), metavar="N", help="Write partition N alone.")
@click.option(
    "--vm-state", metavar="ID|NAME", help="Write the VM state of this snapshot, not a disk."
)
@guest_options
@format_option("-f", "--format", "--source-format", "format_", raw=True)
@click.option("--like-qemu", is_flag=True, help="Read a snapshot at the active state's size.")
@new_image_options
@click.option(
    "-m",
    "--threads",
    "--parallel",
    "threads",
    type=click.IntRange(1, 64),
    help="Threads that read and decode.",
)
@click.option("--salvage", is_flag=True, help="Read around what is broken, and list what is lost.")
@click.option("--strict", is_flag=True, help="Fail if bytes lie past the end of a file.")
@json_option("With --salvage, list what is lost as text, or as JSON.")
@click.option(
    "--resume", is_flag=True, help="Keep what was written if interrupted, and continue from there."
)
@click.option(
    "-S",
    "--sparse-size",
    "sparse",
    type=size,
    default="4k",
    metavar="SIZE",
    help="0 allocates all of OUT; otherwise blocks of 4 KiB of zeros are left out.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress bar.")
@receipt_option
def command(
    image: Target,
    output: str,
    snapshot: str | SnapshotKey | None,
    start_offset: int | None,
    max_length: int | None,
    partition: int | None,
    vm_state: str | None,
    allow: Gate,
    secret: str | bytes | None,
    share: bool,
    format_: str | None,
    like_qemu: bool,
    threads: int | None,
    salvage: bool,
    strict: bool,
    as_json: bool,
    resume: bool,
    quiet: bool,
    sparse: int,
    receipt: str | None,
    **target_options: Any,
) -> None:
    """Write what the guest sees to a raw file, or to a new qcow2 image.

    A raw OUT is sparse, and may be - for standard output.

    All versions, compressed, encrypted and extended L2 images, snapshots and backing chains.
    """
    from qcowspec.transfer.convert import convert
    from qcowspec.transfer.places import Unwritable, is_same

    if resume and output == STANDARD:
        raise click.UsageError("--resume needs a file; standard output cannot be resumed")
    if partition is not None and (start_offset, max_length) != (None, None):
        raise click.UsageError("--partition goes without --start-offset and --max-length")
    if vm_state is not None:
        _refuse_with_vm_state(
            snapshot=snapshot is not None,
            partition=partition is not None,
            start_offset=start_offset is not None,
            max_length=max_length is not None,
            salvage=salvage,
        )
    is_piece = (start_offset, max_length, partition) != (None, None, None)
    image_wanted = wanted(
        **target_options,
        resume=resume,
        start_offset=is_piece,
        sparse_size=not sparse,
        vm_state=vm_state is not None,
    )
    try:
        target = target_of(output)
        with opened(image, format_, allow, secret, like_qemu=like_qemu, salvage=salvage) as source:
            state = None if vm_state is None else _vm_state(source, vm_state)
            disk = source.disk(snapshot, salvage=salvage) if state is None else state.disk
            open_files(disk, share=share)
            names = [name for layer in disk.layers for name in (layer.name, layer.data.name)]
            if any(is_same(target, name) for name in names):
                raise click.UsageError(f"{output} is a file that is read from")
            if state is None:
                start, length = _piece(disk, start_offset, max_length, partition)
            else:
                start, length = state.start, state.length
            about: dict[str, Any] = {"snapshot": snapshot, "like_qemu": like_qemu}
            about |= {} if vm_state is None else {"vm_state": vm_state}
            about |= {"salvage": salvage, "start": start, "length": length}
            if receipt is not None:
                check_receipt(receipt, output, names, length)
            label = os.path.basename(output)
            with Bar(label, length, hidden=quiet, keep=True, is_bytes=True) as bar:
                common: dict[str, Any] = {"threads": threads, "progress": bar.adds, "share": share}
                if image_wanted is not None:
                    from qcowspec.transfer.qcow2 import write_qcow2

                    check_size(image_wanted, disk.size)
                    compress = target_options["compress"]
                    losses = write_qcow2(disk, target, image_wanted, compress=compress, **common)
                else:
                    losses = convert(
                        disk,
                        target,
                        resume=about if resume else None,
                        sparse=sparse > 0,
                        start=start,
                        length=length,
                        **common,
                    )
            if receipt is not None:
                from qcowspec.report.receipt import Read

                chosen = {name: target_options[name] for name in ("compress", "canonical")}
                write_receipt(
                    receipt,
                    output,
                    read=Read(source, disk, start, length, allow, share),
                    options=options_of(about, image_wanted, **chosen),
                    losses=losses,
                    quiet=quiet,
                )
    except Unwritable as error:
        unwritable(output, error, FAILED)
    if salvage:
        write_losses(losses, length, as_json=as_json, err=is_stdout(output))
    else:
        say_past_end(losses)
    if losses and (salvage or strict):
        sys.exit(FAILED)


def _refuse_with_vm_state(**others: bool) -> None:
    """Refuse options that say what of a disk is read, by whether they are given."""
    for name in (name for name, is_given in others.items() if is_given):
        raise click.UsageError(f"--vm-state does not go with --{name.replace('_', '-')}")


def _vm_state(source: Image | RawImage, snapshot: str) -> DiskReader:
    """The VM state of a snapshot."""
    from qcowspec.image import Image

    if not isinstance(source, Image):
        raise click.UsageError("--vm-state: a raw file has no snapshots")
    return source.vm_state(snapshot)


def _piece(
    disk: Disk, start: int | None, length: int | None, partition: int | None
) -> tuple[int, int]:
    """The bytes of the disk to write: where they start, and how many they are."""
    if partition is not None:
        from qcowspec.transfer.partitions import partition as find

        found = find(disk, partition, disk.layers[0].name)
        return found.start, found.length
    start = start or 0
    if start > disk.size:
        raise click.UsageError(f"--start-offset is past the end of the disk, {disk.size} bytes")
    left = disk.size - start
    return start, left if length is None else min(left, length)
