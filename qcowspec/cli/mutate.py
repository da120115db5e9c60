"""`qcowspec mutate`: broken images made from sound ones."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import folders, seed_option
from qcowspec.cli.options import rules as offer_rules
from qcowspec.cli.output import fail, unwritable, write
from qcowspec.cli.reading import read_whole
from qcowspec.errors import NotQcow, QcowError, offered
from qcowspec.fuzzing import batches
from qcowspec.fuzzing.drafts import LARGEST
from qcowspec.fuzzing.mutations import MOST, MUTATIONS
from qcowspec.fuzzing.places import Places, Unfit
from qcowspec.report.words import plural, printable
from qcowspec.sources import Target
from qcowspec.spec.rules import BY_ID


@click.command(
    "mutate",
    cls=TakesImages,
    epilog="""\b
Examples:
  qcowspec mutate disk.qcow2 -n 1000 -o mutants
  qcowspec mutate disk.qcow2 -n 1 -o broken --rule header/cluster-bits
  qcowspec mutate *.qcow2 -n 100 -o bitmaps --rule bitmaps/type
  qcowspec mutate disk.qcow2 -n 50 -o out --mutation entry-past-end --seed 7
  jq -r '.mutants[] | select(.verdict.qemu == "accepts").file' \\
      mutants/manifest.json

manifest.json lists the mutants under "mutants", and says of each: file, seed (the image), format,
mutations (names, or ids of the test vectors whose patches were applied), changes (field, offset,
length, old, new), verdict (of each profile, as qcowspec judges), first (the rule QEMU reports) and
rules (all that are broken). Equal images, options and --seed make equal files.

Exit status: 0; 1 no rule or mutation that was asked for fits the images; 2 an image cannot be read,
or bad usage.
""",
)
@click.argument("seeds", type=IMAGE, nargs=-1, metavar="SEED...")
@click.option(
    "-n", "--count", type=click.IntRange(1), default=100, show_default=True, help="Mutants to make."
)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    shell_complete=folders,
    help="Directory to write them to; needed unless --list is given.",
)
@click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="ID",
    shell_complete=offer_rules,
    help="Break this rule; repeatable.",
)
@click.option(
    "--mutation", "names", multiple=True, metavar="NAME", help="Draw from these only; repeatable."
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=MOST,
    show_default=True,
    help="Mutations applied to one mutant, at most.",
)
@seed_option
@click.option("--list", "listing", is_flag=True, help="List the mutations and exit.")
def command(
    seeds: tuple[Target, ...],
    count: int,
    output: str | None,
    rules: tuple[str, ...],
    names: tuple[str, ...],
    most: int,
    random_seed: int,
    listing: bool,
) -> None:
    """Make broken images from sound ones, with a record of what is broken.

    Mutations know the format: they move tables, overwrite fields with values at an edge, repeat
    extensions, cut files. With --rule the patch of a test vector breaks that very rule.
    """
    if listing:
        write(f"{each.name:<22} {each.says}\n" for each in MUTATIONS.values())
        sys.exit(0)
    if not seeds or output is None:
        raise click.UsageError("an image and -o DIR are needed; --list needs neither")
    _check(rules, names)
    try:
        opened = [batches.Seed(*_opened(seed)) for seed in seeds]
        batch = batches.Batch(opened, count, random_seed, rules, names, most)
        manifest = batches.write(batch, Path(output))
    except Unfit as error:
        fail(error, NOTHING_FITS)
    except QcowError:
        raise
    except OSError as error:
        unwritable(output, error)
    rejected = Counter(row["verdict"]["qemu"] for row in manifest["mutants"])["rejects"]
    write([f"{plural(count, 'mutant')} in {printable(output)}; QEMU refuses {rejected}\n"])
    sys.exit(0)


NOTHING_FITS = 1
"""Exit status if the images have nothing that the rules or mutations could change."""


def _check(rules: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Refuse rules and mutations that do not exist."""
    if rules and names:
        raise click.UsageError("--rule and --mutation exclude each other")
    for rule in rules:
        if rule not in BY_ID:
            near = offered(rule, BY_ID)
            says = f"no rule has the ID {rule!r}; `qcowspec rules` lists them.{near}"
            raise click.UsageError(says)
    for name in names:
        if name not in MUTATIONS:
            near = offered(name, MUTATIONS)
            raise click.UsageError(f"there is no mutation {name!r}; --list lists them.{near}")


def _opened(image: Target) -> tuple[str, Places]:
    """Read an image: its name, without secrets, and its structures."""
    name, data = read_whole(image, LARGEST, "a seed")
    places = Places(data)
    if places.image.format is None:
        raise NotQcow("is no QCOW image", path=name)
    return name, places
