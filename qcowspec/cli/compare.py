"""`qcowspec compare`: do two images hold the same disk?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from qcowspec.cli.images import TakesImages
from qcowspec.cli.output import FORMATS, say, write
from qcowspec.cli.progress import Bar
from qcowspec.cli.reading import CHOICES, PERMISSIONS, allowing, key_of, sharing
from qcowspec.errors import QcowError

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

Exit status, as qemu-img's: 0 the same; 1 they differ; 2 one cannot be opened, or bad usage; 3 a
table cannot be read or breaks a rule; 4 bytes cannot be read.
""",
)
@click.argument("one", metavar="IMAGE1")
@click.argument("other", metavar="IMAGE2")
@allowing
@click.option("-f", "--format", "format_", type=click.Choice(CHOICES), default="auto")
@click.option("-F", "--other-format", type=click.Choice(CHOICES), default="auto")
@click.option("-s", "--strict", is_flag=True, help="Sizes and allocation have to be equal too.")
@click.option("-p", "--progress", is_flag=True, help="Show a progress bar.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@sharing
def command(
    one: str,
    other: str,
    allow: tuple[str, ...],
    secret: str | None,
    format_: str,
    other_format: str,
    strict: bool,
    progress: bool,
    quiet: bool,
    force_share: bool,
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
            if not force_share:
                left.refuse_writers()
                right.refuse_writers()
        except QcowError as error:
            say(error)
            sys.exit(NOT_OPENED)
        _finish(_compared(left, right, strict=strict, hidden=quiet or not progress), quiet=quiet)


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
