"""`qcowspec rules`: list or explain the rules."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

import click
from qcow_parsers.catalogue import RULES, Rule

from qcowspec.cli.options import color_option, json_option, rules
from qcowspec.cli.output import write
from qcowspec.fuzzing import vectors
from qcowspec.report import catalogue
from qcowspec.report.style import Style


@click.command(
    "rules",
    epilog="""\b
Examples:
  qcowspec rules                       all of them, a line each
  qcowspec rules header/cluster-bits   one explained
  qcowspec rules 'bitmaps/*'           a stage's, explained
  qcowspec rules --json | jq -r '.[] | select(.qemu.verdict == "rejects").id'

Marks: Q if QEMU refuses an image that breaks the rule, S if the format's document demands it, L if
librbd's reader refuses the image, U if an operator of untrusted images does. In the JSON,
"verdicts" has what each profile of `qcowspec validate` does with an image that breaks the rule.

Exit status: 0; 2 no rule has this ID, or bad usage.
""",
)
@click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=rules)
@json_option
@color_option
def command(ids: tuple[str, ...], as_json: bool, style: Style) -> None:
    """List the rules, or explain those with an ID; * stands for any letters."""
    chosen = _chosen(ids)
    if as_json:
        rows = [catalogue.as_json(rule) for rule in chosen]
        write([json.dumps(rows, indent=2, ensure_ascii=False), "\n"])
    elif not ids:
        write(f"{line}\n" for line in catalogue.listing(chosen, style))
    else:
        for number, rule in enumerate(chosen):
            write([] if number == 0 else ["\n"])
            shown = catalogue.page(rule, style, examples=_examples(rule))
            write(f"{line}\n" for line in shown)


def _examples(rule: Rule) -> dict[str, str]:
    """A test vector that breaks the rule, and one at its edge that does not."""
    found = {"broken by": vectors.breaking(rule.id), "its edge": vectors.edge(rule.id)}
    return {name: some[0].line for name, some in found.items() if some}


def _chosen(ids: tuple[str, ...]) -> list[Rule]:
    chosen = []
    for wanted in ids or ("*",):
        found = [rule for rule in RULES if fnmatchcase(rule.id, wanted)]
        if not found:
            raise click.UsageError(f"no rule has the ID {wanted!r}; `qcowspec rules` lists them")
        chosen += found
    return chosen
