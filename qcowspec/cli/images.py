"""What stands where a command takes an image: a path, -, a URL, or a source spec."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from qcowspec.cli.habits import IMAGE_OPTIONS, KEY, options
from qcowspec.cli.options import files, with_progress_json
from qcowspec.cli.output import UNREADABLE, fail
from qcowspec.errors import QcowError
from qcowspec.sources.names import named

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from qcowspec.sources import Target

    Type = click.ParamType[Any]
else:
    Type = click.ParamType  # which older versions of click cannot subscript

KINDS = """\


An image is a path; - for standard input; a URL: https://…, s3://BUCKET/KEY, memory://…, or a chain
such as gzip::https://…; or a source spec as librbd has them: json:{…}, or --source-spec FILE.
A name that exists as a file is that file, whatever it looks like. Write ./* rather than *: a file
may be called --source-spec.
"""
"""What the help of every such command says."""

OPTION = "--source-spec"


class Command(click.Command):
    """A command that prints one sentence and exits if an image cannot be read.

    Attributes:
        failed: Exit status for bad usage, and for output that cannot be written.
        unread: Exit status if an image cannot be read.
    """

    def __init__(
        self, *words: Any, failed: int = UNREADABLE, unread: int = UNREADABLE, **named: Any
    ) -> None:
        super().__init__(*words, **named)
        self.failed, self.unread = failed, unread
        self.params.extend(options(self.name or ""))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click; a source spec that is wrong is bad usage."""
        try:
            return super().parse_args(ctx, list(with_progress_json(args)))
        except QcowError as error:
            fail(error, self.failed)

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        try:
            return super().invoke(ctx)
        except QcowError as error:
            with suppress(OSError):  # which is reported when the command ends
                sys.stdout.flush()
            fail(error, self.unread)


class TakesImages(Command):
    """A command whose arguments are images, each of which may be a file with a source spec.

    ``--source-spec FILE`` stands where an image stands, so that `convert`, `compare` and commands
    with any number of images need no rules of their own for it.
    """

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self.epilog = (self.epilog or "").rstrip() + KINDS
        self.params.append(
            click.Option(
                [OPTION],
                metavar="FILE",
                expose_value=False,
                shell_complete=files,
                help="Instead of an image: a file with its source spec.",
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the specs where their images stand, then go on as usual."""
        if ctx.resilient_parsing:  # a shell asks what may follow: nothing is read
            return super().parse_args(ctx, args)
        try:
            args = list(_replaced(args))
        except QcowError as error:
            fail(error, self.failed)
        return super().parse_args(ctx, args)


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
            yield _Spec(path)
        elif word.startswith(f"{OPTION}="):
            yield _Spec(word.removeprefix(f"{OPTION}="))
        else:
            yield word


class _Spec(str):
    """The word that stands where ``--source-spec FILE`` stood; what click says of it is no secret.

    Attributes:
        spec: The source spec. It is no text any more, which a file could have for a name.
    """

    spec: Mapping[str, Any]

    def __new__(cls, path: str) -> _Spec:
        """Read the file."""
        from qcowspec.sources.specs import read_spec

        word = super().__new__(cls, f"source spec {path}")
        word.spec = read_spec(path)
        return word


class Image(Type):
    """What stands where an image may: decided once, and before any image is opened.

    A name that exists as a file is that file, were it removed by the time it is opened.
    """

    name = "image"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Target:
        """What `qcowspec.sources.open_source` takes."""
        if isinstance(value, _Spec):
            return value.spec
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return] # converted before
        if ctx is not None and ctx.meta.get(IMAGE_OPTIONS):
            from qcowspec.sources.image_options import file_of

            file, ctx.meta[KEY] = file_of(value)
            return file
        return named(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Files may stand there."""
        return files(ctx, param, incomplete)


IMAGE = Image()
