"""`qcowspec rules`: list or explain the rules."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

import click
from qcow_parsers.catalogue import RULES, Rule
from qcow_parsers.versions import MEASURED

from qcowspec.cli.options import color_option, json_option, rules
from qcowspec.cli.output import write
from qcowspec.errors import offered
from qcowspec.fuzzing import vectors
from qcowspec.report import catalogue, matrix
from qcowspec.report.style import Style


@click.command(
    "rules",
    epilog=f"""\b
Examples:
  qcowspec rules                       all of them, a line each
  qcowspec rules header/cluster-bits   one explained
  qcowspec rules 'bitmaps/*'           a stage's, explained
  qcowspec rules --json | jq -r '.[] | select(.qemu.verdict == "rejects").id'
  qcowspec rules --matrix 'l1/*'       a stage's, by version of QEMU
  qcowspec rules --tsv > rules.tsv     a row a rule, for programs

Marks: Q if QEMU {MEASURED[-1]} refuses or reports an image that breaks the rule, S if the format's
document demands it, L if librbd's reader refuses the image, U if an operator of untrusted images
does, u if it is only reported. In the JSON, "verdicts" has what each profile of `qcowspec validate`
does with an image that breaks the rule. --matrix --json prints the rows of --tsv, and what their
columns mean.

Exit status: 0; 2 no rule has this ID, or bad usage.
""",
)
@click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=rules)
@click.option(
    "--matrix", "by_version", is_flag=True, help="Print the verdict of each QEMU that was measured."
)
@click.option("--tsv", "as_tsv", is_flag=True, help="Print a row a rule, separated by tabs.")
@json_option()
@color_option
def command(
    ids: tuple[str, ...], by_version: bool, as_tsv: bool, as_json: bool, style: Style
) -> None:
    """List the rules, or explain those with an ID; * stands for any letters."""
    if as_tsv and as_json:
        raise click.UsageError("--tsv does not go with --json")
    chosen = _chosen(ids)
    if as_tsv:
        write(f"{line}\n" for line in matrix.tsv(chosen))
    elif by_version and as_json:
        write([json.dumps(matrix.as_json(chosen), indent=1, ensure_ascii=False), "\n"])
    elif by_version:
        write(f"{line}\n" for line in matrix.table(chosen, style))
    elif as_json:
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
            near = offered(wanted, [rule.id for rule in RULES])
            raise click.UsageError(
                f"no rule has the ID {wanted!r}; `qcowspec rules` lists them.{near}"
            )
        chosen += found
    return chosen
