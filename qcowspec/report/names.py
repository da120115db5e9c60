"""File names as QEMU shows them.

In: an image's name, and a name in its header. Out: the other file's name. Refuses: nothing;
whether the file may be opened is for the gate to say.

Source: block.c: path_combine, path_has_protocol, bdrv_get_full_backing_filename.
"""

from __future__ import annotations


def full_name(image: str, name: bytes) -> str | None:
    """The name of a second file, relative to the user's folder as the image's is.

    Args:
        image: The image that has the name, as it is shown.
        name: The name, verbatim.

    Returns:
        The path; None for a name of a protocol, such as ``json:`` or ``nbd:``.
    """
    if b":" in name.partition(b"/")[0]:
        return None
    path = name.decode("utf-8", "replace")
    return path if path.startswith("/") else image[: image.rfind("/") + 1] + path
