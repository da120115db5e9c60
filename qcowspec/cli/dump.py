"""`qcowspec dump`: an image laid open."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.output import fail, styler, write
from qcowspec.errors import QcowError
from qcowspec.image import Image, lay_open
from qcowspec.reader.machine import ALL_ENTRIES
from qcowspec.report import document, text, tree
from qcowspec.report.nodes import Node, Row
from qcowspec.report.paths import UnknownPath, resolve
from qcowspec.report.tables import BYTES_READ
from qcowspec.sources import Target

BROKEN = 1
"""Exit status where rules are broken."""


@click.command(
    "dump",
    cls=TakesImages,
    epilog="""\b
Examples:
  qcowspec dump disk.qcow2
  qcowspec dump --tables disk.qcow2 | less -R
  qcowspec dump --path header.cluster_bits disk.qcow2
  qcowspec dump --json disk.qcow2 | jq '.structures[].name'

The entries of the L2 tables that are read are judged, too. Refcounts are not held against
references: that is `qcowspec check`.

Exit status: 0 no rule that was judged is broken; 1 some are, and all that can be read is shown; 2
the image cannot be read, or is no QCOW image.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["auto", "qcow", "qcow2"]),
    default="auto",
    help="Take the image for this format instead of probing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print YAML, with the keys of the JSON.")
@click.option("--tables", is_flag=True, help="Show every entry of every table.")
@click.option("--hex", "hexadecimal", is_flag=True, help="Show the bytes beside the fields.")
@click.option("--path", metavar="PATH", help="Show one structure or value: header.cluster_bits.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours; auto means on a terminal, unless NO_COLOR is set.",
)
def command(
    image: Target,
    format_: str,
    as_json: bool,
    as_yaml: bool,
    tables: bool,
    hexadecimal: bool,
    path: str | None,
    color: str,
) -> None:
    """Lay an image open.

    Every structure is shown with its offset and length, its fields with their values and what they
    mean. Tables are summed up unless --tables is given.
    """
    if as_json and as_yaml:
        raise click.UsageError("--json and --yaml exclude each other")
    try:
        opened = lay_open(
            image,
            format=None if format_ == "auto" else format_,
            entries=ALL_ENTRIES if tables else BYTES_READ,
        )
    except QcowError as error:
        fail(error)
    with opened:
        nodes = tree.structures(opened, whole=tables or path is not None)
        if path is not None:
            lines = _one(opened, path, nodes, as_json=as_json, as_yaml=as_yaml, whole=tables)
        elif as_json:
            lines = document.as_json(opened, nodes, whole=tables)
        elif as_yaml:
            lines = document.as_yaml(opened, nodes, whole=tables)
        else:
            shown = text.lines(
                opened, nodes, whole=tables, hexadecimal=hexadecimal, style=styler(color)
            )
            lines = (f"{line}\n" for line in shown)
        try:
            write(lines)
        except QcowError as error:
            fail(error)
        sys.exit(BROKEN if opened.findings and path is None else 0)


def _one(
    image: Image, path: str, nodes: Iterable[Node], *, as_json: bool, as_yaml: bool, whole: bool
) -> Iterator[str]:
    """One structure or value, alone."""
    try:
        found = resolve(nodes, path)
    except UnknownPath as error:
        raise click.UsageError(str(error)) from error
    if as_json or as_yaml:
        yield from document.one(found, yaml=as_yaml, whole=whole)
    elif isinstance(found, Row):
        yield f"{found.value:#x}\n"
    elif found.children or found.rows is not None:
        shown = text.structure(found, whole=whole, hexadecimal=True)
        yield from (f"{line}\n" for line in shown)
    else:
        yield f"{text.bare(found)}\n"
