"""--like, by which a command answers as another version of QEMU, and what the help says of it.

In: the word that the user gives. Out: a profile of QEMU's. Refuses: what is none.
"""

from __future__ import annotations

import click
from qcow_parsers.versions import MEASURED

from qcowspec.cli.output import say
from qcowspec.spec.profiles import OUTPUT, check_profile, measured, measured_as

OLDEST, NEWEST = MEASURED[0], MEASURED[-1]
"""The newest decides what is opened where no other is asked for."""

USUAL = measured(OUTPUT)
"""The QEMU whose output is given where no other is asked for."""


def _like(ctx: click.Context, _: click.Parameter, chosen: str | None) -> str | None:
    if chosen is None or ctx.resilient_parsing:
        return chosen
    try:
        name, _version = check_profile(chosen)
    except ValueError as error:
        raise click.UsageError(f"--like: {error}") from error
    if name != "qemu":
        raise click.UsageError(f"--like takes a version of QEMU, such as qemu@10.0, not {chosen!r}")
    if measured(chosen) is None:
        say(f"{chosen} is {measured_as(chosen)}")
    return chosen


like_option = click.option(
    "--like",
    metavar="qemu@VERSION",
    callback=_like,
    help=f"Answer as this QEMU does: {', '.join(MEASURED)} were measured.",
)
"""The QEMU whose output is wanted; None where the command's usual one is."""

LIKE = f"""\
--like gives the answer of another QEMU, of images that both it and {NEWEST} open. If it was not
measured, stderr says so.
"""
"""What the help says of --like."""
