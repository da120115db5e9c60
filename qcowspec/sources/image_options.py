"""QEMU's option strings for ``--image-opts``: ``driver=qcow2,file.filename=disk.qcow2``.

In: an option string, and one of ``--object``. Out: a `FileName` with its format; a passphrase with
its ID. Refuses: options that are not known, by name; files that are not on this machine.

Source: util/qemu-option.c: get_opt_value; block/file-posix.c; crypto/secret.c.
"""

from __future__ import annotations

from qcow_parsers import constants as c

from qcowspec.errors import Invalid, Unsupported
from qcowspec.sources.names import FileName
from qcowspec.sources.small_file import read_small_file

NAME = "--image-opts"
FILE_NAME = "file.filename"

DRIVERS = ("qcow", "qcow2", "raw")

KEYS = ("encrypt.key-secret", "key-secret")
"""Options that name the secret with the passphrase."""

UNUSED = ("read-only", "auto-read-only", "force-share", "discard", "detect-zeroes", "node-name")
"""Options without an effect here: an image is only read, and caches hold nothing unwritten."""

UNUSED_PARTS = (
    "cache.",
    "cache-",
    "encrypt.format",
    "file.aio",
    "file.cache.",
    "file.driver",
    "file.locking",
    "l2-cache",
    "lazy-refcounts",
    "overlap-check",
    "refcount-cache",
)
"""How other such options begin."""


def pairs(text: str, first: str = "") -> dict[str, str]:
    """The options of a string; a comma in a value is doubled, and the last of a name counts.

    Args:
        text: The string.
        first: The name of a first value that has none.
    """
    found: dict[str, str] = {}
    for index, word in enumerate(text.replace(",,", "\0").split(",")):
        name, equals, value = word.replace("\0", ",").partition("=")
        if equals:
            found[name] = value
        elif index == 0 and first:
            found[first] = name
        else:
            found[name] = "on"
    return found


def file_of(text: str) -> tuple[FileName, str | None]:
    """The file that an option string is of, and the ID of the secret that unlocks it.

    Raises:
        Invalid: An option is unknown, or the file's name is missing.
        Unsupported: The driver is another one, or the file is not on this machine.
    """
    options = pairs(text)
    driver = options.pop("driver", None)
    protocol = options.get("file.driver", "file")
    if driver == "file":  # the protocol without a format: all bytes are the disk's
        driver, options[FILE_NAME] = "raw", options.pop("filename", "")
    if driver is not None and driver not in DRIVERS:
        known = ", ".join(DRIVERS)
        raise Unsupported(f"has the driver {driver!r}; known are {known}", path=NAME)
    if protocol != "file":
        reads = "reads files only: name the image by its URL instead, without --image-opts"
        raise Unsupported(f"has the file.driver {protocol!r}, and {reads}", path=NAME)
    name = options.pop(FILE_NAME, "")
    if not name:
        raise Invalid(f"lacks the file's name: {FILE_NAME}=PATH", path=NAME)
    secrets = [options.pop(key) for key in KEYS if key in options]
    for key in options:
        if key not in UNUSED and not key.startswith(UNUSED_PARTS):
            raise Invalid(f"has the option {key!r}, which has no counterpart here", path=NAME)
    return FileName(name, driver), secrets[-1] if secrets else None


def secret_of(text: str) -> tuple[str, bytes]:
    """The ID and the passphrase of ``secret,id=ID,file=PATH``, an object of QEMU's.

    Raises:
        Invalid: It is another object, or lacks the ID or the passphrase. No message repeats it.
        Unsupported: It is in base64 or encrypted.
        Unreadable: The file cannot be read.
    """
    options = pairs(text, "qom-type")
    if options.pop("qom-type", "") != "secret":
        raise Invalid("is no secret: secret,id=ID,file=PATH", path="--object")
    known = {"id", "file", "data", "format"}
    if set(options) - known or not options.get("id") or ("file" in options) == ("data" in options):
        says = "is no secret that is read here: secret,id=ID and one of file=PATH and data=TEXT"
        raise Invalid(says, path="--object")
    if options.get("format", "raw") != "raw":
        raise Unsupported("has a format other than raw; write the secret itself", path="--object")
    if "file" in options:
        return options["id"], read_small_file(options["file"], c.POLICY_MAX_SECRET_SIZE)
    return options["id"], options["data"].encode("utf-8", "surrogateescape")
