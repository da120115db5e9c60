"""How strictly a row of TOML is read.

Comes in: a row, and what its keys have to be. Goes out: one sentence for each thing that is wrong
with it. Refuses: unknown keys, missing keys, values that do not fit; ``Complaints`` gathers the
sentences so that all of them are seen at once.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from .compiler import InputError

Row = dict[str, Any]
Check = Callable[[object], str | None]  # what is wrong with the value, or nothing


class Key(NamedTuple):
    """What a key of a row has to be."""

    check: Check
    required: bool = True


class Complaints:
    """Gathers what is wrong with the tables."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def add(self, where: str, sentence: str) -> None:
        """Notes one thing that is wrong."""
        self._sentences.append(f"{where}: {sentence}")

    def row(self, where: str, row: Row, keys: dict[str, Key]) -> bool:
        """Whether a row has exactly the keys it may have, each with a value that fits."""
        before = len(self._sentences)
        for key in row:
            if key not in keys:
                self.add(where, f"there is no key `{key}`; the keys are {', '.join(keys)}.")
        for key, rule in keys.items():
            if key not in row:
                if rule.required:
                    self.add(where, f"the key `{key}` is missing.")
            elif (wrong := rule.check(row[key])) is not None:
                self.add(where, f"`{key}` is {row[key]!r}, {wrong}.")
        return len(self._sentences) == before

    def unique(self, where: str, what: str, names: Iterable[str]) -> None:
        """No name may stand twice."""
        seen: set[str] = set()
        for name in names:
            if name in seen:
                self.add(where, f"the {what} `{name}` stands twice.")
            seen.add(name)

    def settle(self) -> None:
        """Raises what was gathered, if anything was."""
        if self._sentences:
            raise InputError("\n".join(self._sentences))


def text(value: object) -> str | None:
    """Some text, without spaces at its ends."""
    if isinstance(value, str) and value and value == value.strip():
        return None
    return "which is no text, or empty, or has spaces at its ends"


def texts(value: object) -> str | None:
    """One text or more."""
    if isinstance(value, list) and value and all(text(each) is None for each in value):
        return None
    return "which is not a list of texts"


def text_or_texts(value: object) -> str | None:
    """A text or a list of them."""
    return text(value) and texts(value) and "which is neither a text nor a list of texts"


def table(value: object) -> str | None:
    """A table."""
    return None if isinstance(value, dict) else "which is no table"


def releases(value: object) -> str | None:
    """A release such as ``7.2``, or the first of each series that has a change, newest last."""
    listed = [value] if isinstance(value, str) else value
    if isinstance(listed, list) and listed and not any(map(release, listed)):
        numbers = [[int(number) for number in each.split(".")] for each in listed]
        return None if numbers == sorted(numbers) else "whose releases are not in order"
    return "which is neither a release nor a list of them"


def release(value: object) -> str | None:
    """A release such as ``7.2`` or ``7.2.13``."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+){1,2}", value):
        return None
    return "which is no release"


def truth(value: object) -> str | None:
    """``true`` or ``false``."""
    return None if isinstance(value, bool) else "which is neither true nor false"


def integer(low: int, high: int) -> Check:
    """A whole number within bounds, both included."""

    def check(value: object) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return None
        return f"which is no whole number from {low} to {high}"

    return check


def one_of(*choices: object) -> Check:
    """One of a few values."""

    def check(value: object) -> str | None:
        if any(value == choice and type(value) is type(choice) for choice in choices):
            return None
        return f"which is none of {', '.join(map(str, choices))}"

    return check


def some_of(*choices: object) -> Check:
    """A list of some of a few values, none of them twice."""
    each_is = one_of(*choices)

    def check(value: object) -> str | None:
        if isinstance(value, list) and value and len(set(map(str, value))) == len(value):
            return next((wrong for each in value if (wrong := each_is(each))), None)
        return f"which is not a list of some of {', '.join(map(str, choices))}"

    return check


def identifier(value: object) -> str | None:
    """A name that Python takes."""
    if isinstance(value, str) and value.isidentifier():
        return None
    return "which is no name for a constant"


def tables(file: Path, *names: str) -> dict[str, list[Row]]:
    """The arrays of tables of a TOML file; any other top-level key is refused."""
    complaints = Complaints()
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{file.name} is missing.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file.name}: {error}.") from error
    for name, rows in document.items():
        if name not in names:
            complaints.add(file.name, f"there is no table `{name}`.")
        elif not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            complaints.add(file.name, f"`{name}` is not an array of tables; write [[{name}]].")
    complaints.settle()
    return {name: document.get(name, []) for name in names}
