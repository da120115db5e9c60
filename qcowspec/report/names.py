"""File names as QEMU shows them.

In: an image's name, and the name that stands in it. Out: the other file's name. Refuses: nothing;
whether the file may be opened is for the gate to say.

Source: block.c: path_combine, path_has_protocol, bdrv_get_full_backing_filename.
"""

from __future__ import annotations


def beside(image: str, name: bytes) -> str | None:
    """A relative name as seen from where the user is.

    Args:
        image: The image that has the name, as it is shown.
        name: The name, verbatim.

    Returns:
        The path; None of a name that is for a protocol, such as ``json:`` or ``nbd:``.
    """
    if b":" in name.partition(b"/")[0]:
        return None
    path = name.decode("utf-8", "replace")
    return path if path.startswith("/") else image[: image.rfind("/") + 1] + path
