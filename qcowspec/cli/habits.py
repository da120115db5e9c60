"""What qemu-img has and qcowspec lacks: options that change nothing here, and what to do instead.

In: a command's name, or one that does not exist. Out: hidden options, or a sentence. Refuses: with
bad usage, what cannot be done here.

Source: qemu-img.c of QEMU 11.1, whose long options are here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from qcowspec.errors import offered

if TYPE_CHECKING:
    from qcowspec.reader.opening import SnapshotKey

CACHES = ("none", "writeback", "writethrough", "directsync", "unsafe")
"""Names of cache modes. No mode changes what is read."""

OBJECTS = "qcowspec.objects"
"""Key of click's `meta`: passphrases of ``--object``, by their IDs."""

KEY = "qcowspec.key"
"""Key of click's `meta`: ID of the passphrase that an option string names."""

IMAGE_OPTIONS = "qcowspec.image_options"
"""Key of click's `meta`: whether images are named by option strings."""

READ_ONLY = "qcowspec never writes to an image; see qemu-img {0} --help"

COMMANDS = {
    "amend": READ_ONLY.format("amend"),
    "bench": "to time reads of an image: qemu-img bench",
    "commit": READ_ONLY.format("commit"),
    "create": "to make an image: qcowspec build, from a description; or qemu-img create",
    "dd": "use qcowspec convert, with --start-offset and --max-length in place of skip= and count=",
    "rebase": READ_ONLY.format("rebase"),
    "resize": READ_ONLY.format("resize"),
}
"""Commands of qemu-img without a counterpart, and what to do instead."""


def instead_of(word: str, commands: Iterable[str]) -> str:
    """What to do in place of a command that does not exist."""
    if word in COMMANDS:
        return f"there is no command {word!r}: {COMMANDS[word]}"
    return f"there is no command {word!r}.{offered(word, commands)}"


Callback = Callable[[click.Context, click.Parameter, Any], Any]


def options(command: str) -> list[click.Option]:
    """The options of qemu-img's command of this name that ours lacks; each is hidden."""
    make = _COMMANDS.get(command)
    return [] if make is None else [*make(), *_images()]


def _hidden(names: str, callback: Callback, **about: Any) -> click.Option:
    """An option that `callback` looks at: its value is no argument of the command."""
    return click.Option(names.split(), hidden=True, expose_value=False, callback=callback, **about)


def _unused(names: str) -> click.Option:
    """A flag that changes nothing."""
    return _hidden(names, lambda _context, _option, value: value, is_flag=True)


def _cache(names: str) -> click.Option:
    """A cache mode, which has to be one of QEMU's."""
    return _hidden(names, lambda _context, _option, value: value, type=click.Choice(CACHES))


def _refused(names: str, says: str, *, flag: bool = False) -> click.Option:
    """An option for what cannot be done here."""

    def refuse(context: click.Context, option: click.Parameter, value: Any) -> None:
        if value and not context.resilient_parsing:
            raise click.UsageError(f"{option.opts[0]}: {says}")

    return _hidden(names, refuse, is_flag=flag)


# --- images by option strings ---------------------------------------------------------------------


def _images() -> list[click.Option]:
    """--image-opts, and the objects that its strings refer to."""

    def remember(context: click.Context, _option: click.Parameter, value: bool) -> None:
        context.meta[IMAGE_OPTIONS] = value

    def read(context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> None:
        if texts and not context.resilient_parsing:
            from qcowspec.sources.image_options import secret_of

            context.meta[OBJECTS] = dict(map(secret_of, texts))

    return [
        _hidden("--image-opts", remember, is_flag=True, is_eager=True),
        _hidden("--object", read, multiple=True, is_eager=True),
    ]


def snapshot_of(
    _context: click.Context, _option: click.Parameter, word: str | None
) -> str | SnapshotKey | None:
    """A snapshot's ID or name; or both, as ``snapshot.id=1,snapshot.name=monday``."""
    if word is None or not word.startswith(SNAPSHOT):
        return word
    from qcowspec.reader.opening import SnapshotKey
    from qcowspec.sources.image_options import pairs

    found = pairs(word)
    key = SnapshotKey(found.pop(f"{SNAPSHOT}id", None), found.pop(f"{SNAPSHOT}name", None))
    if found:
        raise click.UsageError(f"-l: {min(found)!r} is neither snapshot.id nor snapshot.name")
    return key


SNAPSHOT = "snapshot."
"""How qemu-img's options for a snapshot begin."""


# --- the commands ---------------------------------------------------------------------------------


def _convert() -> list[click.Option]:
    return [
        _unused("-W --oob-writes"),
        _unused("-C --copy-range-offloading"),
        _cache("-T --source-cache"),
        _cache("-t --target-cache"),
        _refused("-b -B", "OUT is flat, and has no backing file"),
        _refused("-F --backing-format", "OUT is flat, and has no backing file"),
        _refused("--bitmaps", "OUT holds no bitmaps", flag=True),
        _refused("--skip-broken-bitmaps", "OUT holds no bitmaps", flag=True),
        _refused("--target-image-opts", "name the output file itself", flag=True),
        _refused(
            "-r --rate-limit", "the rate cannot be limited here; try: convert IMAGE - | pv -L"
        ),
        _refused(
            "-n --no-create",
            "OUT is replaced as a whole, and a device is written as it is: leave -n out",
            flag=True,
        ),
        _refused("--target-is-zero", "OUT is made of zeros anyway: leave it out", flag=True),
    ]


def _info() -> list[click.Option]:
    return [
        _cache("-t --cache"),
        _refused("--limits", "block limits are QEMU's, not the image's: qemu-img info", flag=True),
    ]


def _check() -> list[click.Option]:
    return [
        _cache("-T --cache"),
        _refused(
            "-r --repair",
            "check never writes to an image. To repair one: qemu-img check -r leaks|all, on a copy",
        ),
    ]


def _snapshot() -> list[click.Option]:
    says = "qcowspec never writes to an image; see qemu-img snapshot --help"
    return [
        _unused("-l --list"),
        _unused("-q --quiet"),
        _refused("-a --apply", says),
        _refused("-c --create", says),
        _refused("-d --delete", says),
    ]


def _bitmap() -> list[click.Option]:
    says = "qcowspec never writes to an image; see qemu-img bitmap --help"
    changes = ("add", "remove", "remove-all", "clear", "enable", "disable")
    return [
        *(_refused(f"--{change}", says, flag=True) for change in changes),
        _refused("--merge", says),
        _refused("-b --source-file", says),
        _refused("-F --source-format", says),
        _refused("-g --granularity", says),
    ]


_COMMANDS: dict[str, Callable[[], list[click.Option]]] = {
    "bitmap": _bitmap,
    "check": _check,
    "compare": lambda: [_cache("-T --cache")],
    "convert": _convert,
    "info": _info,
    "map": list,
    "measure": list,
    "snapshot": _snapshot,
}
