"""`qcowspec verify`: is a file still what the receipt of its conversion says?"""

from __future__ import annotations

import json
import sys
from contextlib import closing

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import files, json_option, progress_option, share_option
from qcowspec.cli.output import fail, write
from qcowspec.cli.progress import Bar
from qcowspec.cli.reading import read_whole
from qcowspec.sources import Target, open_source
from qcowspec.sources.names import FileName

DIFFERS = 1
"""Exit status of a file that is not what its receipt says."""


@click.command(
    "verify",
    cls=TakesImages,
    epilog="""\b
Examples:
  qcowspec convert -O qcow2 --canonical --receipt r.json a.qcow2 b.qcow2
  qcowspec verify r.json b.qcow2
  qcowspec verify --json r.json b.qcow2

The length and SHA-256 of the file and of its disk, and the verdicts by today's rules, are compared
with the receipt's. If that was made by other rules, this is reported. A receipt is not signed: keep
it where those who can change the image cannot write. IMAGE is read in the receipt's format, and no
other file is opened.

Exit status: 0 equal; 1 something differs; 2 a file cannot be read, RECEIPT is none, or bad usage.
""",
)
@click.argument("receipt", metavar="RECEIPT", shell_complete=files)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@json_option()
@progress_option()
@share_option("Read the file even if another program has it open for writing, or changes it.")
def command(receipt: str, image: Target, as_json: bool, share: bool) -> None:
    """Compare a file with the receipt that convert --receipt wrote."""
    from qcowspec.report import verification

    name, data = read_whole(FileName(receipt), verification.LARGEST_RECEIPT, "a receipt")
    try:
        wanted = verification.parsed(data)
    except verification.NoReceipt as error:
        fail(f"{name}: {error}")
    with closing(open_source(image, raw=True)) as source:
        if not share:
            source.refuse_writers()
        work = source.length + wanted.disk_length
        with Bar("verify", work, is_bytes=True) as bar:
            found = verification.compared(wanted, source, bar.add)
        if not share:
            source.check_unchanged()
        result = verification.as_data(wanted, found, source.name)
    if as_json:
        write([json.dumps(result, indent=2) + "\n"])
    else:
        write(f"{line}\n" for line in verification.as_text(result))
    if not result["equal"]:
        sys.exit(DIFFERS)
