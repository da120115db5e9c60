"""`qcowspec dump`: every structure of an image."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from qcowspec.cli import explain
from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import color_option, format_option, json_option
from qcowspec.cli.output import write
from qcowspec.image import Image, lay_open
from qcowspec.reader.machine import ALL_ENTRIES
from qcowspec.report import document, text, tree
from qcowspec.report.nodes import Node, Row
from qcowspec.report.paths import UnknownPath, resolve
from qcowspec.report.style import Style
from qcowspec.report.tables import BYTES_READ
from qcowspec.sources import Target

BROKEN = 1
"""Exit status if rules are broken."""


@click.command(
    "dump",
    cls=TakesImages,
    epilog="""\b
Examples:
  qcowspec dump disk.qcow2
  qcowspec dump --tables disk.qcow2 | less -R
  qcowspec dump --path header.cluster_bits disk.qcow2
  qcowspec dump --at 0x50010 disk.qcow2
  qcowspec dump --json disk.qcow2 | jq '.structures[].name'

The rules about L2 entries are checked too, for the tables that are read. Refcounts are not compared
with references; `qcowspec check` does that.

Exit status: 0 no rule that was checked is broken; 1 some are, and all that can be read is shown; 2
the image cannot be read, or is not a QCOW image. With --at: as `qcowspec explain`.
""",
)
@click.argument("image", type=IMAGE, metavar="IMAGE")
@format_option()
@json_option()
@click.option("--yaml", "as_yaml", is_flag=True, help="Print YAML with the same keys.")
@click.option("--tables", is_flag=True, help="Show every entry of every table.")
@click.option(
    "--all", "everything", is_flag=True, help=f"Show more than {tree.MANY} structures of a kind."
)
@click.option("--hex", "hexadecimal", is_flag=True, help="Show the bytes of each field.")
@click.option(
    "--path", metavar="PATH", help="Show one structure or value, such as header.cluster_bits."
)
@click.option(
    "--at",
    metavar="OFFSET",
    help="Explain one byte, as `qcowspec explain` does: 0x50010, 4k, a path.",
)
@color_option
def command(
    image: Target,
    format_: str | None,
    as_json: bool,
    as_yaml: bool,
    tables: bool,
    everything: bool,
    hexadecimal: bool,
    path: str | None,
    at: str | None,
    style: Style,
) -> None:
    """Show every structure of an image.

    Each structure is shown with its offset and length, each field with its value and what it means.
    Tables are summarised unless --tables is given; of thousands of snapshots, bitmaps or header
    extensions the first are shown, unless --all or --tables is.
    """
    if as_json and as_yaml:
        raise click.UsageError("--json and --yaml exclude each other")
    if at is not None:
        if as_yaml or tables or everything or hexadecimal or path is not None:
            raise click.UsageError("--at goes with --json and --format only")
        with lay_open(image, format=format_) as opened:
            said, lines, nothing = explain.byte_at(opened, at, style)
        explain.show(said, lines, as_json=as_json)
        sys.exit(explain.NOTHING if nothing else 0)
    with lay_open(image, format=format_, entries=ALL_ENTRIES if tables else BYTES_READ) as opened:
        whole, in_full = tables or path is not None, everything or as_json or as_yaml
        nodes = tree.structures(opened, whole=whole, most=None if whole or in_full else tree.MANY)
        if path is not None:
            lines = _one(opened, path, nodes, as_json=as_json, as_yaml=as_yaml, whole=tables)
        elif as_json:
            lines = document.as_json(opened, nodes, whole=tables)
        elif as_yaml:
            lines = document.as_yaml(opened, nodes, whole=tables)
        else:
            shown = text.lines(opened, nodes, whole=tables, hexadecimal=hexadecimal, style=style)
            lines = (f"{line}\n" for line in shown)
        write(lines)
        sys.exit(BROKEN if opened.findings and path is None else 0)


def _one(
    image: Image, path: str, nodes: Iterable[Node], *, as_json: bool, as_yaml: bool, whole: bool
) -> Iterator[str]:
    """One structure or value."""
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
