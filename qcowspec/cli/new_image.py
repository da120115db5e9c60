"""The options that say what `convert` writes: a raw file, or a qcow2 image.

In: -O, -o, -c and --canonical. Out: a `NewImage`, or None for a raw file. Refuses: other formats,
and options that do not go together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from qcowspec.cli.options import RAW

if TYPE_CHECKING:
    from qcowspec.transfer.new_image import NewImage

QCOW2 = "qcow2"


def new_image_options(command: Any) -> Any:
    """-O, -o, -c and --canonical, as `target_format`, `options`, `compress` and `canonical`."""
    for option in (
        click.option(
            "--canonical",
            is_flag=True,
            help="With -O qcow2: the one image of this disk, whatever it is stored in.",
        ),
        click.option(
            "-o",
            "--target-format-options",
            "options",
            metavar="NAME=VALUE,…",
            help=(
                "With -O qcow2: compat, cluster_size, compression_type, extended_l2, refcount_bits."
            ),
        ),
        click.option(
            "-c", "--compress", is_flag=True, help="With -O qcow2: compress the clusters."
        ),
        click.option(
            "-O",
            "--target-format",
            metavar="raw|qcow2",
            default=RAW,
            callback=_known,
            help="Format of OUT; raw if not given.",
        ),
    ):
        command = option(command)
    return command


def _known(_context: click.Context, _option: click.Parameter, format_: str) -> str:
    if format_ not in (RAW, QCOW2):
        raise click.UsageError(
            f"convert writes {RAW} and {QCOW2}; for another format: qemu-img convert -O {format_}"
        )
    return format_


def wanted(
    target_format: str, options: str | None, *, compress: bool, canonical: bool, **others: bool
) -> NewImage | None:
    """What the options say the new image is like; None for a raw file.

    Args:
        target_format: Of -O.
        options: Of -o.
        compress: Of -c.
        canonical: Of --canonical.
        **others: Options that go with a raw file only, by their names, and whether they are given.
    """
    if target_format == RAW:
        given = {"-c": compress, "-o": options is not None, "--canonical": canonical}
        for name in (name for name, is_given in given.items() if is_given):
            raise click.UsageError(f"{name}: a raw file has nothing of the kind; it needs -O qcow2")
        return None
    for name in (name for name, is_given in others.items() if is_given):
        raise click.UsageError(f"--{name.replace('_', '-')} goes with -O raw")
    if canonical and (compress or options is not None):
        raise click.UsageError("--canonical has fixed options: it goes without -c and -o")
    from qcowspec.transfer.new_image import written_image

    try:
        return written_image(options or "")
    except ValueError as error:
        raise click.UsageError(f"-o: {error}") from error


def check_size(image: NewImage, size: int) -> None:
    """Refuse a disk of `size` bytes that is too large for the image."""
    try:
        image.check_size(size)
    except ValueError as error:
        raise click.UsageError(f"-o: {error}") from error
