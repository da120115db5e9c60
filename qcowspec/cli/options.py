"""The options that several commands have, and what a shell offers for them.

Each is a decorator, as `click.option` makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from qcowspec.cli.habits import KEY, OBJECTS
from qcowspec.cli.output import styler
from qcowspec.cli.progress import PROGRESS_JSON
from qcowspec.spec import sizes

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from qcowspec.sources.gate import Gate

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
            callback=_note(JSON),
        )
        flag = click.option("--json", "as_json", is_flag=True, help=help, callback=_is_json)
        return output(flag(command))

    return add


def _is_json(context: click.Context, _option: click.Parameter, chosen: bool) -> bool:
    return chosen or context.meta.get(JSON) == "json"


JSON = "qcowspec.json"
"""Key of click's `meta`: what --output says."""


def allow_option(help: str = "Open these second files.") -> Option:
    """Which files may be opened besides the image, and where they are: a `Gate`."""

    def add(command: Any) -> Any:
        for option in (
            click.option(
                "--allow",
                multiple=True,
                metavar="same-dir|any|DIR",
                callback=_gate,
                shell_complete=folders,
                help=help,
            ),
            click.option(
                "--no-backing",
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_note(NO_BACKING),
                help="Read zeros in place of the backing file.",
            ),
            click.option(
                "--backing",
                multiple=True,
                is_eager=True,
                expose_value=False,
                metavar="NAME=PATH",
                callback=_note(MOVED),
                help="Open PATH as the backing or data file that an image calls NAME.",
            ),
        ):
            command = option(command)
        return command

    return add


def _note(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def note(context: click.Context, _option: click.Parameter, value: Any) -> None:
        context.meta[key] = value

    return note


def _gate(context: click.Context, _option: click.Parameter, allow: tuple[str, ...]) -> Gate:
    from qcowspec.sources.gate import gate_of

    moved, no_backing = context.meta.get(MOVED, ()), context.meta.get(NO_BACKING, False)
    if not moved and not no_backing:
        return gate_of(allow)
    from qcowspec.sources.moved import Moved

    for place in moved:
        if "=" not in place:
            raise click.UsageError(f"--backing takes NAME=PATH, not {place!r}")
    return Moved(moved, allow=allow, no_backing=no_backing)


MOVED, NO_BACKING = "qcowspec.moved", "qcowspec.no_backing"
"""Keys of click's `meta`: what --backing and --no-backing say."""


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


def progress_option(
    *names: str, help: str = "A terminal shows progress anyway", expose_value: bool = False
) -> Option:
    """``--progress``; `qcowspec.cli.progress` asks for the form of it."""

    def add(command: Any) -> Any:
        json = click.option(
            "--progress-json",
            is_flag=True,
            hidden=True,
            is_eager=True,
            expose_value=False,
            callback=_note(PROGRESS_JSON),
        )
        flag = click.option(
            *(names or ("-p", "--progress")),
            is_flag=True,
            expose_value=expose_value,
            help=f"{help}; --progress json prints a line of JSON a second on stderr.",
        )
        return json(flag(command))

    return add


def with_progress_json(args: Iterable[str]) -> Iterator[str]:
    """Arguments in which ``--progress json`` is one word, which click can read."""
    waiting = iter(args)
    held: str | None = None
    for word in waiting:
        if held is not None:
            if word == "json":
                held, word = None, "--progress-json"
            else:
                yield held
                held = None
        if word == "--":
            yield word
            break
        if word == "--progress":
            held = word
        else:
            yield "--progress-json" if word == "--progress=json" else word
    if held is not None:
        yield held
    yield from waiting


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
