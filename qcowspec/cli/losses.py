"""What `convert`, `compare` and `map` print of what is lost, or lies past the end of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qcowspec.cli.output import say

if TYPE_CHECKING:
    from qcowspec.guest.losses import Losses


def write_losses(losses: Losses, size: int, *, as_json: bool, err: bool) -> None:
    """Print what a salvage lost, to stdout or stderr; `size` is the disk's, in bytes."""
    from qcowspec.report.losses import as_data, as_text

    if as_json:
        import json

        click.echo(json.dumps(as_data(losses, size), indent=4), err=err)
        return
    for line in as_text(losses, size):
        click.echo(line, nl=False, err=err)


def say_past_end(losses: Losses) -> None:
    """Print on stderr which bytes of a disk lie past the end of a file, if any do."""
    if losses:
        from qcowspec.report.losses import past_end

        for sentence in past_end(losses):
            say(sentence)
