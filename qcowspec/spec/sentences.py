"""A rule's message, with a value from an image.

In: a rule, and a value from an image. Out: one sentence. Refuses: to print bytes from an image raw.
"""

from __future__ import annotations

from qcow_parsers.catalogue import Rule

from qcowspec.errors import Value, name_of


def sentence(rule: Rule, value: Value, fact: Value = None) -> str:
    """A rule's message about one image.

    Args:
        rule: The rule.
        value: The value at fault; the row says whether a number is shown in hexadecimal.
        fact: A second value, if the message states one.
    """
    return rule.message.format(value=_Shown(value), fact=_Shown(fact))


class _Shown:
    """A value as a message shows it; bytes from an image are never printed raw."""

    SHOWN = 64

    def __init__(self, value: Value) -> None:
        self._value = value

    def __format__(self, spec: str) -> str:
        value = self._value
        if isinstance(value, bytes):
            # The zeros that fill up a field are not shown.
            return self._hexadecimal(value) if spec else name_of(value.rstrip(b"\0"), self.SHOWN)
        return format(int(value), spec) if isinstance(value, int) else str(value)

    def _hexadecimal(self, value: bytes) -> str:
        more = " …" if len(value) > self.SHOWN else ""
        return value[: self.SHOWN].hex(" ") + more
