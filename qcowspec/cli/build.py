"""`qcowspec build`: an image from its description."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import click

from qcowspec.cli.images import IMAGE, Command
from qcowspec.cli.options import files
from qcowspec.cli.output import is_stdout, target_of, unwritable
from qcowspec.cli.reading import read_whole
from qcowspec.errors import QcowError
from qcowspec.report.words import printable
from qcowspec.sources import FileName, Target, Url, open_source

if TYPE_CHECKING:
    from qcowspec.build.pieces import Chunk
    from qcowspec.transfer import places


@click.command(
    "build",
    cls=Command,
    epilog="""\b
Examples:
  qcowspec dump --json --tables disk.qcow2 > disk.json
  qcowspec build disk.json --data-from disk.qcow2 -o again.qcow2
  jq '(.structures[0].fields[] | select(.name == "size")).value=1' disk.json |
      qcowspec build - --data-from disk.qcow2 -o smaller.qcow2
  echo '{size: 1G, writes: [{at: 0, text: hello}]}' |
      qcowspec build - -o small.qcow2
  echo '{header: {cluster_bits: 22}}' | qcowspec build - -o wrong.qcow2
  echo '{base: v3, patch: [{field: header.cluster_bits, value: 22}]}' |
      qcowspec build - -o w.qcow2

SPEC is what `qcowspec dump --tables` prints as JSON or YAML, or a short description, or an image
and a patch; docs/build.md lists all keys. In a dump, `value` and `fields` take precedence if they
differ from `raw`. No rule is checked: values that are wrong on purpose are written as they are.

Exit status: 0; 2 the spec is wrong, a file cannot be read or written, or bad usage.
""",
)
@click.argument("spec", type=IMAGE, metavar="SPEC")
@click.option(
    "-o",
    "--output",
    metavar="IMAGE",
    required=True,
    shell_complete=files,
    help="The image to write; - for standard output.",
)
@click.option(
    "--data-from",
    type=IMAGE,
    metavar="ORIGINAL",
    help="Copy what a dump does not cover, such as guest data, from this image.",
)
@click.option(
    "--data-file",
    metavar="PATH",
    shell_complete=files,
    help="Where to write the data file of a short description.",
)
def command(spec: Target, output: str, data_from: Target | None, data_file: str | None) -> None:
    """Assemble an image from a description.

    SPEC is a file, or - for standard input. The image is written whole or not at all, with holes
    where it is zeros. -o - writes it to standard output, and the summary to standard error.
    """
    with ExitStack() as stack:
        try:
            _build(stack, spec, output, data_from, data_file)
        except QcowError as error:
            named = isinstance(spec, (str, FileName, Url))  # and not a mapping, with its secrets
            error.path = error.path or (str(spec) if named else "source spec")
            raise


def _build(
    stack: ExitStack, spec: Target, output: str, data_from: Target | None, data_file: str | None
) -> None:
    from qcowspec.fuzzing import recipes
    from qcowspec.fuzzing.drafts import LARGEST
    from qcowspec.transfer.places import is_same

    names: list[str] = []

    def whole(target: Target, most: int, kind: str) -> bytes:
        name, data = read_whole(target, most, kind)
        names.append(name)
        return data

    def image(path: str) -> bytes:  # a path: a spec from elsewhere names no server
        return whole(FileName(path), LARGEST, "an image to patch")

    text = whole(spec, recipes.LARGEST_SPEC, "a spec")
    below = None
    if data_from is not None:
        original = stack.enter_context(closing(open_source(data_from)))
        names.append(original.name)
        below = recipes.copied_from(original)
    made = recipes.made(recipes.parsed(text), read=image, has_original=below is not None)
    if below is not None and not made.from_dump:
        raise click.UsageError("--data-from goes with a dump; a description has its own data")
    if data_file is not None and made.data_file is None:
        raise click.UsageError("the spec has no data file that could be written")
    target = _target(output, names)
    data_target = None if data_file is None else _target(data_file, names)
    if data_file is not None and (data_file == output or is_same(output, data_file)):
        raise click.UsageError(f"the image and its data file cannot both be {output}")
    written = _write(output, target, made.pieces.end, made.pieces.written(below))
    if data_file is not None and data_target is not None and made.data_file is not None:
        _write(data_file, data_target, made.data_size, sorted(made.data_file.items()))
    says = f"{printable(output)}: {made.pieces.end:,} bytes, {written:,} of them no hole"
    click.echo(says, err=any(is_stdout(path) for path in (output, data_file) if path is not None))


def _target(path: str, inputs: list[str]) -> places.Target:
    """Where an output goes, which must be none of the inputs."""
    from qcowspec.transfer.places import Unwritable, is_same

    try:
        target = target_of(path)
    except Unwritable as error:
        unwritable(path, error)
    if any(is_same(target, name) for name in inputs):
        raise click.UsageError(f"{path} is a file that is read from")
    return target


def _write(path: str, target: places.Target, length: int, chunks: Iterable[Chunk]) -> int:
    """Write an output, and return how many of its bytes are not in holes."""
    from qcowspec.transfer.files import write_chunks

    try:
        return write_chunks(target, length, chunks)
    except QcowError:  # of what is read
        raise
    except OSError as error:
        unwritable(path, error)
