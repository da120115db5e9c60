"""The command line: one module a command.

In: arguments. Out: results on stdout, errors on stderr, an exit status. Refuses: bad usage, with 2.

Only this package prints and exits. A command's module is imported when the command is called, so
that `qcowspec --help` feels instant.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NoReturn

GARBAGE = 100_000
"""Objects allocated before Python looks for garbage cycles: imports make none."""

gc.set_threshold(GARBAGE)

import click  # noqa: E402 # after the threshold is set

from qcowspec import __version__  # noqa: E402 # the same
from qcowspec.errors import shown  # noqa: E402 # the same

COMMANDS = {
    "dump": "Show every structure of an image: offset, bytes and meaning.",
    "explain": "Explain one byte: what has it, what it means, who references it.",
    "validate": "Judge images: one verdict each, with the rules that are broken.",
    "info": "Describe an image: sizes, features, snapshots, bitmaps, backing file.",
    "map": "List the ranges of the disk, and where the bytes of each are.",
    "snapshot": "List the internal snapshots.",
    "bitmap": "List the persistent dirty bitmaps.",
    "check": "Compare references with refcounts, and find overlaps.",
    "usage": "Account for every byte of the file, and find bytes that no reader looks at.",
    "report": "Write one page about an image, to look at and to share.",
    "convert": "Write the disk to a raw file, or to a new qcow2 image.",
    "verify": "Compare a file with the receipt of its conversion.",
    "serve": "Serve the disk and its snapshots by NBD, read-only.",
    "measure": "Calculate how large a new image of a disk would be.",
    "compare": "Check whether two images hold the same disk.",
    "rules": "List the rules, or explain some.",
    "mutate": "Make broken images from sound ones, with a record of what is broken.",
    "build": "Assemble an image, valid or not, from a dump or a short description.",
    "fuzz": "Run a reader on mutants, and keep what it gets wrong.",
    "kit": "Write the conformance kit, or score a reader with it.",
}
"""Each command and its one-line help; the module of the same name has the rest."""

EXAMPLES = """\b
Examples:
  qcowspec dump disk.qcow2                 every structure, byte by byte
  qcowspec dump --tables --hex disk.qcow2  every table entry, and the bytes
  qcowspec validate -p untrusted upload.img  is it safe to accept an upload?
  qcowspec rules header/cluster-bits       explain a rule
"""


class Commands(click.Group):
    """A group whose commands are imported when they are called.

    Attributes:
        failed: Exit status for bad usage of the command that was called, and if it cannot print.
    """

    failed: int

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """See click; the words are kept, so that errors can hide the secrets in them."""
        words = list(args)
        with _discreet(words):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[WORDS] = words
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        with _discreet(ctx.meta.get(WORDS, [])):
            return super().invoke(ctx)

    def list_commands(self, context: click.Context) -> list[str]:
        """All commands, in the order in which the help shows them."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command, imported."""
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"qcowspec.cli.{name}").command
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # see qcowspec.__main__
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.failed = getattr(command, "failed", USAGE)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click; for a command that does not exist, say what to use instead."""
        word = args[0]
        if word not in COMMANDS and not word.startswith("-"):
            from qcowspec.cli.habits import instead_of

            ctx.fail(instead_of(word, COMMANDS))
        return super().resolve_command(ctx, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


WORDS = "qcowspec.words"


@contextmanager
def _discreet(words: Iterable[str]) -> Iterator[None]:
    """Hide the secrets of URLs and source specs in click's errors, which repeat wrong words."""
    try:
        yield
    except click.ClickException as error:
        said = error.message
        for word in words:
            if "://" in word or "json:" in word:
                for form in (word, repr(word)[1:-1]):
                    said = said.replace(form, shown(word))
        error.__dict__["message"], error.args = said, (said,)
        raise


@click.group(
    cls=Commands, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, "-V", "--version", prog_name="qcowspec")
def qcowspec() -> None:
    """The executable specification of QEMU's QCOW disk images, v1, v2 and v3."""


def main() -> None:
    """Run the command line."""
    # A reader of our output, such as head, may stop early: that ends the command, without an error.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from qcowspec.sources.standard import replace_closed

        replace_closed()
    # Modules are never garbage, and looking for garbage in them takes 5 ms.
    gc.freeze()
    # NumPy's library for matrices, which nothing here multiplies, starts a thread a processor.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    qcowspec.failed = USAGE
    try:
        status = _run()
        sys.stdout.flush()
    except OSError as error:  # of the output: those of an image are QcowErrors
        status = qcowspec.failed
        with suppress(OSError):
            click.echo(f"qcowspec: the output cannot be written: {error.strerror}", err=True)
    except (click.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    _leave(status)


USAGE = 2
INTERRUPTED = 128 + signal.SIGINT


def _run() -> int:
    """Run the command, and return its exit status."""
    try:
        return qcowspec.main(standalone_mode=False) or 0
    except SystemExit as ended:
        return int(ended.code or 0)
    except click.ClickException as error:
        error.show()
        return qcowspec.failed


def _leave(status: int) -> NoReturn:
    """End the process without freeing its memory, which takes Python 10 ms."""
    atexit._run_exitfuncs()
    with suppress(OSError):  # stderr is closed
        sys.stderr.flush()
    os._exit(status)
