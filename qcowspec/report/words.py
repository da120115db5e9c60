"""Numbers and bytes as people read them.

In: values. Out: a few characters. Refuses: to print bytes from an image raw: what could move a
terminal's cursor is escaped.
"""

from __future__ import annotations

from datetime import UTC, datetime

from qcowspec.spec import units

STEP, size = units.STEP, units.in_units


def of_size(count: int, noun: str) -> str:
    """Things of a size: ``512-byte clusters``, ``64 KiB clusters``."""
    return f"{count}-byte {noun}" if count < STEP else f"{size(count)} {noun}"


def plural(count: int, noun: str) -> str:
    """``1 entry``, ``2 entries``, ``1,024 clusters``."""
    if count == 1:
        return f"1 {noun}"
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {many}"


def text(data: bytes) -> str:
    """Bytes as quoted text, with everything unprintable escaped."""
    return f'"{quoted(data)}"'


def quoted(data: bytes) -> str:
    """Bytes as text without the quotes, with everything unprintable escaped."""
    return printable(data.decode("utf-8", "backslashreplace"))


def printable(line: str) -> str:
    """A line that cannot move a terminal's cursor: everything unprintable is escaped."""
    return "".join(c if c.isprintable() else _escaped(c) for c in line)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def hexadecimal(data: bytes, limit: int = 16) -> str:
    """The first bytes in hexadecimal, with a mark where there are more."""
    shown = data[:limit].hex(" ")
    return shown if len(data) <= limit else f"{shown} …"


def is_text(data: bytes) -> bool:
    """Whether bytes are text that a person would recognise, zero padding aside."""
    body = data.rstrip(b"\0")
    try:
        return bool(body) and body.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def moment(seconds: int) -> str:
    """Seconds since the Epoch as a date, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(nanoseconds: int, digits: int = 2) -> str:
    """Nanoseconds as hours, of so many digits at least, minutes and seconds: a VM clock."""
    milliseconds = nanoseconds // 1_000_000
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:0{digits}}:{minutes:02}:{seconds:02}.{milliseconds:03}"
