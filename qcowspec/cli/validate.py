"""`qcowspec validate`: one verdict a file."""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import click
from qcow_parsers.versions import MEASURED

from qcowspec.cli.images import IMAGE, TakesImages
from qcowspec.cli.options import (
    allow_option,
    color_option,
    format_option,
    json_option,
    profiles,
)
from qcowspec.cli.output import UNREADABLE, say, write
from qcowspec.errors import QcowError, Unreadable, reason_of
from qcowspec.reader.stream import judge_stream
from qcowspec.reader.verdict import Verdict, validate
from qcowspec.report import verdicts
from qcowspec.report.style import Style
from qcowspec.sources import Target
from qcowspec.sources.gate import Gate
from qcowspec.sources.names import STANDARD_INPUT, FileName
from qcowspec.spec.profiles import PROFILES, check_profile

REJECTED = 1
"""Exit status if an image is rejected."""

TOGETHER = 32
"""Files that a worker gets at a time."""


@click.command(
    "validate",
    cls=TakesImages,
    epilog=f"""\b
Examples:
  qcowspec validate disk.qcow2
  qcowspec validate --profile untrusted upload.img
  qcowspec validate --recursive --jobs 4 --json images/ > verdicts.jsonl
  qcowspec validate -p untrusted --hidden reject upload.img
  curl -s https://example.com/disk.qcow2 | qcowspec validate -p untrusted -

Profiles: qemu is what QEMU {MEASURED[-1]} opens, qemu@VERSION what that version opens: {
        ", ".join(MEASURED)
    } were measured, and the verdict of another says that it was not. librbd is what Ceph's reader
opens and reads correctly, librbd-v1 its first version; spec is what the format's document demands;
untrusted adds what an operator demands of an uploaded image: no backing file, no data file, nothing
missing, unknown or absurd; --hidden reads the bytes that no reader looks at. Each verdict ends with
what was not looked at.

Exit status: 0 all are accepted; 1 some are rejected; 2 some cannot be read, or bad usage.
""",
)
@click.argument("images", type=IMAGE, nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "-p",
    "--profile",
    default="qemu",
    show_default=True,
    shell_complete=profiles,
    help=f"Profile to judge by: {', '.join(PROFILES)}.",
)
@format_option()
@json_option("Print one JSON object a line; --output json does the same.")
@click.option("-r", "--recursive", is_flag=True, help="Judge every file below a directory.")
@click.option("-j", "--jobs", type=click.IntRange(1), default=1, help="Processes to use.")
@click.option(
    "--hidden",
    type=click.Choice(["report", "reject"]),
    help="Read the bytes that no reader looks at; of those that are not zero: what to do.",
)
@allow_option("Open the data file.")
@click.option("-q", "--quiet", is_flag=True, help="Print rejected images only.")
@color_option
def command(
    images: tuple[Target, ...],
    profile: str,
    format_: str | None,
    as_json: bool,
    recursive: bool,
    jobs: int,
    hidden: str | None,
    allow: Gate,
    quiet: bool,
    style: Style,
) -> None:
    """Judge images: one verdict each, with the rules that are broken.

    No other file is opened, whatever an image names, unless you allow it.
    """
    try:
        check_profile(profile)
        if hidden is not None:
            from qcowspec.check.verdict import check_hidden

            check_hidden(hidden, profile)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    judge = partial(_judge, profile=profile, format_=format_, allow=allow, hidden=hidden)
    files = list(_files(images, recursive=recursive))
    counts: Counter[str] = Counter()
    for result in _results(judge, files, jobs):
        if isinstance(result, QcowError):
            counts["unreadable"] += 1
            say(f"{result}{_hint(result)}")
            if as_json:
                write([f"{verdicts.unreadable_as_json(result, profile)}\n"])
            continue
        counts[result.verdict] += 1
        if not (quiet and result.accepted):
            line = verdicts.as_json(result) if as_json else verdicts.as_text(result, style)
            write([f"{line}\n"])
    if len(files) > 1 and not (as_json or quiet):
        say(verdicts.summary_of(counts))
    sys.exit(UNREADABLE if counts["unreadable"] else REJECTED if counts["reject"] else 0)


def _hint(error: QcowError) -> str:
    """What to type instead."""
    is_folder = isinstance(error, Unreadable) and error.errno == errno.EISDIR
    return "; -r judges every file below it" if is_folder else ""


def _files(images: Iterable[Target], *, recursive: bool) -> Iterator[Target | QcowError]:
    """The files to judge: those named, and with `recursive` those below the directories named.

    A file found in a directory is a path, even if its name looks like a URL. A directory that
    cannot be read yields an error instead of its files.
    """
    for image in images:
        if not (recursive and isinstance(image, FileName) and os.path.isdir(image)):
            yield image
            continue
        closed: list[OSError] = []
        for folder, folders, names in os.walk(image, onerror=closed.append):
            folders.sort()
            yield from (FileName(str(Path(folder, name))) for name in sorted(names))
        for error in closed:
            yield Unreadable(f"cannot be searched: {reason_of(error)}", path=error.filename)


def _judge(
    image: Target | QcowError,
    *,
    profile: str,
    format_: str | None,
    allow: Gate,
    hidden: str | None,
) -> Verdict | QcowError:
    try:
        if isinstance(image, QcowError):
            return image
        if hidden is not None:
            from qcowspec.check.verdict import validate as look

            return look(image, profile=profile, format=format_, allow=allow, hidden=hidden)
        if image == STANDARD_INPUT and not sys.stdin.seekable():
            return judge_stream(sys.stdin.buffer, profile, format=format_, name=STANDARD_INPUT)
        return validate(image, profile=profile, format=format_, allow=allow)
    except QcowError as error:
        return error


def _results(
    judge: partial[Verdict | QcowError], paths: list[Target | QcowError], jobs: int
) -> Iterator[Verdict | QcowError]:
    if jobs == 1 or len(paths) == 1:
        yield from map(judge, paths)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(judge, paths, chunksize=TOGETHER)
