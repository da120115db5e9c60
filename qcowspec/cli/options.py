"""The options that several commands have, and what a shell offers for them.

Each is a decorator, as `click.option` makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from qcowspec.cli.habits import KEY, OBJECTS
from qcowspec.cli.output import styler
from qcowspec.spec import sizes

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Option = Callable[[Any], Any]
"""What adds an option to a command."""


# --- what a shell offers --------------------------------------------------------------------------


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer files; a value for the ``shell_complete`` of an option or argument."""
    return _items([incomplete], type="file")


def folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer directories."""
    return _items([incomplete], type="dir")


def rules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the IDs of rules."""
    from qcow_parsers.catalogue import RULES

    return _items(rule.id for rule in RULES if rule.id.startswith(incomplete))


def profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer profiles."""
    from qcowspec.spec.profiles import PROFILES

    return _items(name for name in PROFILES if name.startswith(incomplete))


def _items(values: Iterable[str], **about: Any) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(value, **about) for value in values]


# --- options --------------------------------------------------------------------------------------


RAW = "raw"
"""The format whose bytes are all guest bytes."""


def format_option(*names: str, raw: bool = False) -> Option:
    """The format of an image; None where the probe decides, `RAW` only if `raw` allows it."""
    return click.option(
        *(names or ("-f", "--format", "format_")),
        type=click.Choice(["auto", "qcow", "qcow2", *([RAW] if raw else [])]),
        default="auto",
        callback=lambda _, __, chosen: None if chosen == "auto" else chosen,
        help="Take the image for this format instead of probing.",
    )


def json_option(help: str = "Print JSON; --output json does the same.") -> Option:
    """Whether JSON is printed: ``--json``, or ``--output json`` as qemu-img has it."""

    def add(command: Any) -> Any:
        output = click.option(
            "--output",
            "output_format",
            type=click.Choice(["human", "json"]),
            hidden=True,
            is_eager=True,
            expose_value=False,
            callback=_note_json,
        )
        flag = click.option("--json", "as_json", is_flag=True, help=help, callback=_is_json)
        return output(flag(command))

    return add


def _note_json(context: click.Context, _option: click.Parameter, chosen: str | None) -> None:
    context.meta[JSON] = chosen == "json"


def _is_json(context: click.Context, _option: click.Parameter, chosen: bool) -> bool:
    return chosen or context.meta.get(JSON, False)


JSON = "qcowspec.json"
"""Key of click's `meta`: whether ``--output json`` was given."""


def allow_option(help: str = "Open these second files.") -> Option:
    """Which files may be opened besides the image."""
    return click.option("--allow", multiple=True, metavar="same-dir|any|DIR", help=help)


def size(word: str) -> int:
    """A number of bytes; the ``type`` of an option."""
    try:
        return sizes.size(word)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def share_option(help: str) -> Option:
    """Whether a file may be read that another program writes to."""
    return click.option("-U", "--force-share", "share", is_flag=True, help=help)


def guest_options(command: Any) -> Any:
    """What every command that reads guest bytes, or tables, has: --allow, --secret and -U."""
    sharing = "Read files even if another program has them open for writing, or changes them."
    for option in (share_option(sharing), secret_option, allow_option()):
        command = option(command)
    return command


PERMISSIONS = """\
No second file is opened, whatever the image names, unless you allow it: --allow same-dir for files
in the image's own directory, --allow DIR for all below a directory, --allow any. A name is followed
through links and .. first; what counts is where the file really is.
"""
"""What the help says of --allow."""


def _secret(context: click.Context, _option: click.Parameter, where: str | None) -> Any:
    """Where the passphrase is; or itself, if ``--object`` and ``--image-opts`` gave it."""
    key = context.meta.get(KEY)
    if where is not None or key is None:
        return where
    objects = context.meta.get(OBJECTS, {})
    if key not in objects:
        raise click.UsageError(f"there is no --object secret with the id {key!r}")
    return objects[key]


secret_option = click.option(
    "--secret",
    metavar="file:PATH|env:NAME|-",
    callback=_secret,
    help="The passphrase of an encrypted image.",
)
color_option = click.option(
    "--color",
    "style",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    callback=lambda _, __, chosen: styler(chosen),
    help="Colours; auto means on a terminal, unless NO_COLOR is set.",
)
seed_option = click.option(
    "--seed",
    "random_seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the random numbers.",
)
