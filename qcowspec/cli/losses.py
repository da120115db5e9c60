"""What `convert`, `compare` and `map` print of what is lost, or lies past the end of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from qcowspec.guest.losses import Losses


def write_losses(losses: Losses, size: int, shape: str, *, err: bool) -> None:
    """Print what a salvage lost: ``human`` or ``json``; to stderr where stdout has the disk."""
    from qcowspec.report.losses import as_data, as_text

    if shape == "json":
        import json

        click.echo(json.dumps(as_data(losses, size), indent=4), err=err)
        return
    for line in as_text(losses, size):
        click.echo(line, nl=False, err=err)


def say_past_end(losses: Losses) -> None:
    """Say on stderr what of a disk lies past the end of a file; nothing where nothing does."""
    if losses:
        from qcowspec.report.losses import past_end

        for sentence in past_end(losses):
            click.echo(f"qcowspec: {sentence}", err=True)
