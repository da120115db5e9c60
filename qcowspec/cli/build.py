"""`qcowspec build`: an image from its description."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qcowspec.cli.images import IMAGE
from qcowspec.cli.output import UNREADABLE, fail, write
from qcowspec.errors import QcowError, Unsupported
from qcowspec.report.words import plural, printable
from qcowspec.sources import FileName, Target, Url, open_source

if TYPE_CHECKING:
    from qcowspec.source import Source


@click.command(
    "build",
    epilog="""\b
Examples:
  qcowspec dump --json --tables disk.qcow2 > disk.json
  qcowspec build disk.json --data-from disk.qcow2 -o again.qcow2
  jq '(.structures[0].fields[] | select(.name == "size")).value = 1' disk.json |
      qcowspec build - --data-from disk.qcow2 -o smaller.qcow2
  echo '{size: 1G, writes: [{at: 0, text: hello}]}' | qcowspec build - -o small.qcow2
  echo '{header: {cluster_bits: 22}}' | qcowspec build - -o wrong.qcow2
  echo '{base: v3, patch: [{field: header.cluster_bits, value: 22}]}' | qcowspec build - -o w.qcow2

SPEC is what `qcowspec dump --tables` prints as JSON or YAML, or a short description, or an image
and a patch; docs/build.md has all keys. In a dump, `value` and `fields` count where they say
something else than `raw`. Nothing is judged: what is wrong on purpose is written as it is.

Exit status: 0; 2 the spec is wrong, a file cannot be read or written, or bad usage.
""",
)
@click.argument("spec", type=IMAGE, metavar="SPEC")
@click.option("-o", "--output", metavar="IMAGE", required=True, help="The image to write.")
@click.option(
    "--data-from",
    type=IMAGE,
    metavar="ORIGINAL",
    help="Take what a dump does not cover, guest data above all, from this image.",
)
@click.option(
    "--data-file", metavar="PATH", help="Write the data file that a short description has, here."
)
def command(spec: Target, output: str, data_from: Target | None, data_file: str | None) -> None:
    """Assemble an image from a description.

    SPEC is a file, or - for standard input. The image is written whole or not at all, with holes
    where it is zeros.
    """
    with ExitStack() as stack:
        try:
            _build(stack, spec, output, data_from, data_file)
        except QcowError as error:
            error.path = error.path or _called(spec)
            fail(error)
        except OSError as error:
            reason = error.strerror or str(error)
            click.echo(f"qcowspec: {printable(output)}: cannot be written: {reason}", err=True)
            sys.exit(UNREADABLE)


def _build(
    stack: ExitStack, spec: Target, output: str, data_from: Target | None, data_file: str | None
) -> None:
    from qcowspec.fuzzing import files, recipes

    text = _whole(spec, recipes.LARGEST_SPEC)
    original: Source | None = None
    if data_from is not None:
        original = open_source(data_from)
        stack.callback(original.close)
    made = recipes.made(recipes.parsed(text), read=_image, has_original=original is not None)
    if original is not None and not made.from_dump:
        raise click.UsageError("--data-from goes with a dump; a description has its own data")
    if data_file is not None and made.data_file is None:
        raise click.UsageError("the spec has no data file that could be written")
    below = None if original is None else recipes.copied_from(original)
    written = files.write(Path(output), made.pieces.end, made.pieces.written(below))
    if data_file is not None and made.data_file is not None:
        files.write(Path(data_file), made.data_size, made.data_file.items())
    write([f"{printable(output)}: {made.pieces.end:,} bytes, {written:,} of them no hole\n"])


def _called(spec: Target) -> str:
    """What a spec is called, without secrets."""
    return str(spec) if isinstance(spec, (str, FileName, Url)) else "source spec"


def _image(path: str) -> bytes:
    from qcowspec.fuzzing.drafts import LARGEST

    return _whole(FileName(path), LARGEST)  # a spec from elsewhere may name a file, and no server


def _whole(target: Target, most: int) -> bytes:
    """A file, whole, if it is not too large for that."""
    source = open_source(target)
    try:
        if source.length > most:
            raise Unsupported(
                f"has {plural(source.length, 'byte')}; {most} are the most", path=source.name
            )
        return source.read_at(0, source.length)
    finally:
        source.close()
