"""`qcowspec compare`: do two images hold the same disk?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.losses import say_past_end
from qcowspec.cli.output import FORMATS, say, warn_of_end, write
from qcowspec.cli.progress import Bar
from qcowspec.cli.reading import CHOICES, PERMISSIONS, allowing, is_shared, key_of, sharing
from qcowspec.errors import QcowError
from qcowspec.sources import Target

if TYPE_CHECKING:
    from qcowspec.guest import Disk
    from qcowspec.transfer.compare import Answer

DIFFERENT, NOT_OPENED, NO_STATUS, NOT_READ = 1, 2, 3, 4
"""Exit statuses, as qemu-img's."""


@click.command(
    "compare",
    cls=TakesImages,
    epilog=f"""\b
Examples:
  qcowspec compare disk.qcow2 copy.qcow2
  qcowspec compare disk.qcow2 disk.raw
  qcowspec compare --strict --allow same-dir overlay.qcow2 flat.qcow2

{PERMISSIONS}
A file that no format of QEMU claims is taken for a raw disk. Without --strict, disks of different
sizes are the same if the longer one ends with zeros.

Bytes that lie past the end of a file count as zeros, as QEMU reads them. How many these are, of
what was compared, is reported on stderr; --no-missing makes it a failure, with exit status 4. A
file that changes while it is read is an error, unless -U accepts that.

Exit status, as qemu-img's: 0 the same; 1 they differ; 2 one cannot be opened, or bad usage; 3 a
table cannot be read or breaks a rule; 4 bytes cannot be read.
""",
)
@click.argument("one", type=IMAGE, metavar="IMAGE1")
@click.argument("other", type=IMAGE, metavar="IMAGE2")
@allowing
@click.option("-f", "--format", "format_", type=click.Choice(CHOICES), default="auto")
@click.option("-F", "--other-format", type=click.Choice(CHOICES), default="auto")
@click.option("-s", "--strict", is_flag=True, help="Sizes and allocation have to be equal too.")
@click.option("--no-missing", is_flag=True, help="Fail if bytes lie past the end of a file.")
@click.option("-p", "--progress", is_flag=True, help="Show a progress bar.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@sharing
def command(
    one: Target,
    other: Target,
    allow: tuple[str, ...],
    secret: str | None,
    format_: str,
    other_format: str,
    strict: bool,
    no_missing: bool,
    progress: bool,
    quiet: bool,
) -> None:
    """Tell whether the guest sees the same bytes in two images."""
    from contextlib import ExitStack

    from qcowspec.transfer.disks import any_disk

    key = key_of(secret)
    with ExitStack() as files:
        try:
            left, right = (
                files.enter_context(
                    any_disk(name, format=FORMATS.get(chosen, chosen), allow=allow, secret=key)
                )
                for name, chosen in ((one, format_), (other, other_format))
            )
            if not is_shared():
                left.refuse_writers()
                right.refuse_writers()
        except QcowError as error:
            say(error)
            sys.exit(NOT_OPENED)
        for layer in (*left.layers, *right.layers):
            warn_of_end(layer.name, layer.metadata)
        answer = _compared(left, right, strict=strict, hidden=quiet or not progress)
        lacking = _checked(left, right, answer)
        if lacking and no_missing:
            sys.exit(NOT_READ)
        _finish(answer, quiet=quiet)


def _checked(left: Disk, right: Disk, answer: Answer) -> bool:
    """Say what of the disks lies past the end of a file, of what was compared; whether any does."""
    from qcowspec.guest.losses import Losses
    from qcowspec.guest.missing import missing

    end = None if answer.offset is None else answer.offset + 1
    try:
        losses = [Losses(missing(disk, end)) for disk in (left, right)]
        if not is_shared():
            left.check_unchanged()
            right.check_unchanged()
    except QcowError as error:
        say(error)
        sys.exit(NOT_READ)
    for each in losses:
        say_past_end(each)
    return any(losses)


def _compared(left: Disk, right: Disk, *, strict: bool, hidden: bool) -> Answer:
    """The answer, or the exit that fits what failed."""
    from qcowspec.transfer.compare import Comparison, Step

    with Bar("compare", max(left.size, right.size), hidden=hidden) as bar:
        comparison = Comparison(left, right, strict=strict, progress=bar.add)
        try:
            return comparison.run()
        except QcowError as error:
            failed = error
    say(failed)
    sys.exit(NOT_READ if comparison.step is Step.READING else NO_STATUS)


def _finish(answer: Answer, *, quiet: bool) -> NoReturn:
    """Say it in qemu-img's words, and exit."""
    from qcowspec.transfer.compare import Outcome

    words = {
        Outcome.SAME: "Images are identical.",
        Outcome.SIZE: "Strict mode: Image size mismatch!",
        Outcome.STATUS: f"Strict mode: Offset {answer.offset} block status mismatch!",
        Outcome.CONTENT: f"Content mismatch at offset {answer.offset}!",
    }
    warning = ["Warning: Image size mismatch!\n"] if answer.resized else []
    if not quiet:
        write([*warning, words[answer.outcome] + "\n"])
    sys.exit(0 if answer.outcome is Outcome.SAME else DIFFERENT)
