"""`qcowspec compare`: do two images hold the same disk?"""

from __future__ import annotations

import sys

import click

from qcowspec.cli.images import TakesImages
from qcowspec.cli.output import say, write
from qcowspec.cli.reading import CHOICES, PERMISSIONS, allowing, opened
from qcowspec.errors import QcowError

DIFFERENT, FAILED = 1, 2


@click.command(
    "compare",
    cls=TakesImages,
    epilog=f"""\b
Examples:
  qcowspec compare disk.qcow2 copy.qcow2
  qcowspec compare --strict --allow same-dir overlay.qcow2 flat.qcow2

{PERMISSIONS}
Without --strict, disks of different sizes are the same if the longer one ends with zeros.

Exit status, as qemu-img's: 0 the same; 1 they differ; 2 one cannot be read, or bad usage.
""",
)
@click.argument("one", metavar="IMAGE1")
@click.argument("other", metavar="IMAGE2")
@allowing
@click.option("-f", "--format", "format_", type=click.Choice(CHOICES), default="auto")
@click.option("-F", "--other-format", type=click.Choice(CHOICES), default="auto")
@click.option("-s", "--strict", is_flag=True, help="Sizes have to be equal too.")
def command(
    one: str,
    other: str,
    allow: tuple[str, ...],
    secret: str | None,
    format_: str,
    other_format: str,
    strict: bool,
) -> None:
    """Tell whether the guest sees the same bytes in two images."""
    from qcowspec.transfer.compare import first_difference

    try:
        with (
            opened(one, format_, allow, secret) as first,
            opened(other, other_format, allow, secret) as second,
        ):
            left, right = first.disk(), second.disk()
            left.open_all()
            right.open_all()
            if left.size != right.size:
                if strict:
                    write(["Strict mode: Image size mismatch!\n"])
                    sys.exit(DIFFERENT)
                write(["Warning: Image size mismatch!\n"])
            offset = first_difference(left, right)
    except QcowError as error:
        say(error)
        sys.exit(FAILED)
    if offset is None:
        write(["Images are identical.\n"])
        sys.exit(0)
    write([f"Content mismatch at offset {offset}!\n"])
    sys.exit(DIFFERENT)
