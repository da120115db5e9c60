"""`qcowspec compare`: do two images hold the same disk?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.like import LIKE, NEWEST, OLDEST, like_option
from qcowspec.cli.losses import say_past_end
from qcowspec.cli.options import PERMISSIONS, format_option, guest_options, progress_option
from qcowspec.cli.output import fail, write
from qcowspec.cli.progress import Bar
from qcowspec.cli.reading import key_of, open_files
from qcowspec.errors import QcowError
from qcowspec.sources import Target

if TYPE_CHECKING:
    from qcowspec.guest import Disk
    from qcowspec.sources.gate import Gate
    from qcowspec.transfer.compare import Answer

DIFFERENT, NO_STATUS, NOT_READ = 1, 3, 4
"""Exit statuses, as qemu-img's; 2 if an image cannot be opened."""


@click.command(
    "compare",
    cls=TakesImages,
    epilog=f"""\b
Examples:
  qcowspec compare disk.qcow2 copy.qcow2
  qcowspec compare disk.qcow2 disk.raw
  qcowspec compare --strict --allow same-dir overlay.qcow2 flat.qcow2

{PERMISSIONS}
Words and exit status are those of `qemu-img compare`, which are the same in all QEMUs that were
measured, {OLDEST} to {NEWEST}. {LIKE}
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
@guest_options
@format_option("-f", "--format", "--a-format", "format_", raw=True)
@format_option("-F", "--other-format", "--b-format", "other_format", raw=True)
@like_option
@click.option("-s", "--strict", is_flag=True, help="Compare sizes and allocation too.")
@click.option("--no-missing", is_flag=True, help="Fail if bytes lie past the end of a file.")
@progress_option(help="Show a progress bar", expose_value=True)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    one: Target,
    other: Target,
    allow: Gate,
    secret: str | bytes | None,
    share: bool,
    format_: str | None,
    other_format: str | None,
    like: str | None,
    strict: bool,
    no_missing: bool,
    progress: bool,
    quiet: bool,
) -> None:
    """Check whether the guest sees the same bytes in two images."""
    from qcowspec.transfer.disks import any_disk

    options: Any = {"allow": allow, "secret": key_of(secret), "profile": like or "qemu"}
    with (
        any_disk(one, format=format_, **options) as left,
        any_disk(other, format=other_format, **options) as right,
    ):
        open_files(left, share=share)
        open_files(right, share=share)
        answer = _compared(left, right, strict=strict, hidden=quiet or not progress)
        lacking = _missing(left, right, answer, share=share)
        if lacking and no_missing:
            sys.exit(NOT_READ)
        _finish(answer, quiet=quiet)


def _missing(left: Disk, right: Disk, answer: Answer, *, share: bool) -> bool:
    """Report the compared bytes that lie past the end of a file; whether there are any."""
    from qcowspec.guest.losses import Losses
    from qcowspec.guest.missing import missing

    end = None if answer.offset is None else answer.offset + 1
    try:
        losses = [Losses(missing(disk, end)) for disk in (left, right)]
        if not share:
            left.check_unchanged()
            right.check_unchanged()
    except QcowError as error:
        fail(error, NOT_READ)
    for each in losses:
        say_past_end(each)
    return any(losses)


def _compared(left: Disk, right: Disk, *, strict: bool, hidden: bool) -> Answer:
    """Compare the disks; exit with the status of what failed."""
    from qcowspec.transfer.compare import Comparison, Step

    bar = Bar("compare", max(left.size, right.size), hidden=hidden)
    comparison = Comparison(left, right, strict=strict, progress=bar.add)
    try:
        with bar:
            return comparison.run()
    except QcowError as error:
        fail(error, NOT_READ if comparison.step is Step.READING else NO_STATUS)


def _finish(answer: Answer, *, quiet: bool) -> NoReturn:
    """Print the answer in qemu-img's words, and exit."""
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
