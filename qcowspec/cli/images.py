"""What stands where a command takes an image: a path, -, a URL, or a source spec."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

from qcowspec.cli.output import UNREADABLE, say
from qcowspec.errors import QcowError

KINDS = """\


An image is a path; - for standard input; a URL: https://…, s3://BUCKET/KEY, memory://…, or a chain
such as gzip::https://…; or a source spec as librbd has them: json:{…}, or --source-spec FILE.
"""
"""What the help of every such command says."""

OPTION = "--source-spec"


class TakesImages(click.Command):
    """A command whose arguments are images, each of which may be a file with a source spec.

    ``--source-spec FILE`` stands where an image stands, so that `convert`, `compare` and commands
    with any number of images need no rules of their own for it.

    Attributes:
        failed: Exit status for bad usage, and for output that cannot be written.
    """

    failed = UNREADABLE

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self.epilog = (self.epilog or "").rstrip() + KINDS
        self.params.append(
            click.Option(
                [OPTION],
                metavar="FILE",
                expose_value=False,
                help="In the place of an image: a file with its source spec.",
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the specs where their images stand, then go on as usual."""
        if ctx.resilient_parsing:  # a shell asks what may follow: nothing is read
            return super().parse_args(ctx, args)
        try:
            return super().parse_args(ctx, list(_replaced(args)))
        except QcowError as error:
            say(error)
            sys.exit(self.failed)


def _replaced(args: list[str]) -> Iterator[str]:
    waiting = iter(args)
    for word in waiting:
        if word == "--":
            yield word
            yield from waiting
        elif word == OPTION:
            path = next(waiting, None)
            if path is None:
                raise click.UsageError(f"{OPTION} needs a FILE")
            yield _spec(path)
        elif word.startswith(f"{OPTION}="):
            yield _spec(word.removeprefix(f"{OPTION}="))
        else:
            yield word


def _spec(path: str) -> str:
    from qcowspec.sources.specs import PREFIX, read_spec

    text = read_spec(path)
    return text if text.startswith(PREFIX) else PREFIX + text
