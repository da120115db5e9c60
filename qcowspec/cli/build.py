"""`qcowspec build`: an image from its description."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from qcowspec.cli.images import IMAGE
from qcowspec.cli.output import UNREADABLE, fail, is_stdout, target_of, unwritable
from qcowspec.errors import QcowError, Unsupported
from qcowspec.report.words import plural, printable
from qcowspec.sources import FileName, Target, Url, open_source

if TYPE_CHECKING:
    from qcowspec.build.pieces import Chunk
    from qcowspec.sources.source import Source
    from qcowspec.transfer import places


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
@click.option(
    "-o",
    "--output",
    metavar="IMAGE",
    required=True,
    help="The image to write; - for standard output.",
)
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
    where it is zeros. -o - writes it to standard output, and what is said of it to standard error.
    """
    with ExitStack() as stack:
        try:
            _build(stack, spec, output, data_from, data_file)
        except QcowError as error:
            error.path = error.path or _called(spec)
            fail(error)


def _build(
    stack: ExitStack, spec: Target, output: str, data_from: Target | None, data_file: str | None
) -> None:
    from qcowspec.fuzzing import recipes
    from qcowspec.transfer.places import is_same

    inputs = _Inputs()
    text = inputs.whole(spec, recipes.LARGEST_SPEC)
    original: Source | None = None
    if data_from is not None:
        original = inputs.opened(data_from)
        stack.callback(original.close)
    made = recipes.made(recipes.parsed(text), read=inputs.image, has_original=original is not None)
    if original is not None and not made.from_dump:
        raise click.UsageError("--data-from goes with a dump; a description has its own data")
    if data_file is not None and made.data_file is None:
        raise click.UsageError("the spec has no data file that could be written")
    below = None if original is None else recipes.copied_from(original)
    target = _target(output, inputs.names)
    data_target = None if data_file is None else _target(data_file, inputs.names)
    if data_file is not None and (data_file == output or is_same(output, data_file)):
        raise click.UsageError(f"the image and its data file cannot both be {output}")
    written = _write(output, target, made.pieces.end, made.pieces.written(below))
    if data_file is not None and data_target is not None and made.data_file is not None:
        _write(data_file, data_target, made.data_size, sorted(made.data_file.items()))
    says = f"{printable(output)}: {made.pieces.end:,} bytes, {written:,} of them no hole"
    click.echo(says, err=any(is_stdout(path) for path in (output, data_file) if path is not None))


def _called(spec: Target) -> str:
    """What a spec is called, without secrets."""
    return str(spec) if isinstance(spec, (str, FileName, Url)) else "source spec"


def _target(path: str, inputs: list[str]) -> places.Target:
    """Where an output goes, which must be none of the inputs."""
    from qcowspec.transfer.places import Unwritable, is_same

    try:
        target = target_of(path)
    except Unwritable as error:
        unwritable(path, error, UNREADABLE)
    if any(is_same(target, name) for name in inputs):
        raise click.UsageError(f"{path} is a file that is read from")
    return target


def _write(path: str, target: places.Target, length: int, chunks: Iterable[Chunk]) -> int:
    """Write an output; how many of its bytes are no hole."""
    from qcowspec.transfer.files import write_chunks

    try:
        return write_chunks(target, length, chunks)
    except OSError as error:
        unwritable(path, error, UNREADABLE)


class _Inputs:
    """The files that a build reads.

    Attributes:
        names: Of those that were opened.
    """

    def __init__(self) -> None:
        self.names: list[str] = []

    def opened(self, target: Target) -> Source:
        """A file, open."""
        source = open_source(target)
        self.names.append(source.name)
        return source

    def image(self, path: str) -> bytes:
        """An image that a spec begins with, whole."""
        from qcowspec.fuzzing.drafts import LARGEST

        return self.whole(FileName(path), LARGEST)  # a spec from elsewhere names no server

    def whole(self, target: Target, most: int) -> bytes:
        """A file, whole, if it is not too large for that."""
        source = self.opened(target)
        try:
            if source.length > most:
                raise Unsupported(
                    f"has {plural(source.length, 'byte')}; {most} are the most", path=source.name
                )
            return source.read_at(0, source.length)
        finally:
            source.close()
