"""`qcowspec report`: one page about an image, to look at and to share."""

from __future__ import annotations

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import files, format_option, share_option
from qcowspec.cli.output import is_stdout, target_of, unwritable, warn_of_end
from qcowspec.cli.progress import Bar
from qcowspec.report.words import plural, printable
from qcowspec.sources import Target


@click.command(
    "report",
    cls=TakesImages,
    epilog="""\b
Examples:
  qcowspec report disk.qcow2 -o page.html
  qcowspec report --deep upload.qcow2 -o page.html  read the cavities too
  qcowspec report --svg disk.qcow2 -o disk.svg      a picture of the file
  qcowspec report disk.qcow2 -o - | mail …          to standard output

The page is one HTML file, which opens offline and makes no request: verdicts, findings, pictures of
the image file and of the guest's disk, structures with their bytes, and plots. Any image whose
header can be read has one, broken ones too; the page ends with what was not looked at. It shows
names and fields of the image, and the first bytes of its structures, but no guest data. No second
file is opened, so that there is no --allow, and no passphrase is needed.

Exit status: 0; 2 the image cannot be read, the page cannot be written, or bad usage.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@click.option(
    "-o",
    "--output-file",
    "output",
    required=True,
    metavar="FILE",
    shell_complete=files,
    help="Where to write it; - is standard output.",
)
@click.option("--svg", is_flag=True, help="Write a picture of the file alone, as SVG.")
@click.option("--deep", is_flag=True, help="Read all cavities, and inflate compressed clusters.")
@format_option()
@share_option("Read the file even if another program has it open for writing, or changes it.")
def command(
    image: Target, output: str, svg: bool, deep: bool, format_: str | None, share: bool
) -> None:
    """Write one page about an image: pictures, verdicts, findings, structures."""
    from qcowspec.image import lay_open
    from qcowspec.transfer.files import write_bytes
    from qcowspec.transfer.places import Unwritable, is_same

    try:
        target = target_of(output)
    except Unwritable as error:
        unwritable(output, error)
    with lay_open(image, format=format_) as opened:
        if not share:
            opened.source.refuse_writers()
        name = opened.source.name
        if is_same(target, name):
            raise click.UsageError(f"{output} is the image itself")
        with Bar("report", opened.source.length) as bar:
            if svg:
                from qcowspec.report.page.svg import drawn

                text = drawn(opened, deep=deep, progress=bar.at)
            else:
                from qcowspec.report.page.document import document
                from qcowspec.report.page.model import page_of

                text = document(page_of(opened, format=format_, deep=deep, progress=bar.at))
        if not share:
            opened.check_unchanged()
        warn_of_end(name, opened.metadata)
    data = text.encode()
    try:
        write_bytes(target, data)
    except OSError as error:
        unwritable(output, error)
    if not is_stdout(output):
        click.echo(f"{printable(output)}: {plural(len(data), 'byte')}")
