"""What a shell offers behind a command: files where one may stand, rules, profiles.

In: a command. Out: the same, whose parameters know what stands there. Refuses: nothing.

Options, commands and choices are click's own matter. Without this a shell that completes
`qcowspec` would offer no file names at all.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

FILES = ("IMAGE", "IMAGE1", "IMAGE2", "SEED", "SPEC", "FILE", "ORIGINAL", "OUT")
FOLDERS = ("DIR",)
RULES = ("ID",)
NAMES = ("PROFILE",)
"""The words by which the help calls a parameter, or else its name, without brackets and dots."""


class _Text(click.types.StringParamType):
    """A parameter that is text, and of which more is known.

    Attributes:
        offers: `file`, `dir`, `rule` or `profile`.
    """

    def __init__(self, offers: str) -> None:
        self.offers = offers

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """What may stand there."""
        if self.offers in ("file", "dir"):
            return [CompletionItem(incomplete, type=self.offers)]
        from qcowspec.spec.profiles import PROFILES

        known = _rules() if self.offers == "rule" else dict.fromkeys(PROFILES)
        return [
            CompletionItem(name, help=says)
            for name, says in known.items()
            if name.startswith(incomplete)
        ]


def _rules() -> dict[str, str | None]:
    """All rules, with what they say."""
    from qcow_parsers.catalogue import RULES as CATALOGUE

    return {rule.id: rule.says for rule in CATALOGUE}


OFFERS = {
    **dict.fromkeys(FILES, _Text("file")),
    **dict.fromkeys(FOLDERS, _Text("dir")),
    **dict.fromkeys(RULES, _Text("rule")),
    **dict.fromkeys(NAMES, _Text("profile")),
}


def taught(command: click.Command) -> click.Command:
    """A command, and those within it, whose parameters say what a shell may offer."""
    for param in command.params:
        word = (param.metavar or param.name or "").strip("[].").upper()
        if type(param.type) is click.types.StringParamType and word in OFFERS:
            param.type = OFFERS[word]
    if isinstance(command, click.Group):
        for each in command.commands.values():
            taught(each)
    return command
