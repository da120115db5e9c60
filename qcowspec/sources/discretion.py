"""Secrets kept out of the logs of libraries.

In: the name of a library. Out: its loggers, with a filter. Refuses: nothing.

fsspec logs whole URLs at level DEBUG, botocore the headers that it signs. A log is read by more
people than may know the password of a server.
"""

from __future__ import annotations

import logging

MARKS = ("authorization", "security-token", "credential=", "signature=", "signature:")
"""Text before a secret in a request, in lower case."""

LEFT_OUT = "…"


class Discreet(logging.Filter):
    """Passes every record, and cuts what may be a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter.filter`."""
        text = record.getMessage()
        safe = without_secrets(text)
        if safe != text:
            record.msg, record.args = safe, ()
        return True


def without_secrets(text: str) -> str:
    """A line of a log, up to where a secret may begin."""
    begin, separator, rest = text.partition("://")
    if separator and any(mark in rest for mark in "@?"):
        text = f"{begin}{separator}{LEFT_OUT}"
    lower = text.lower()
    found = [lower.index(mark) + len(mark) for mark in MARKS if mark in lower]
    return text if not found else f"{text[: min(found)]}{LEFT_OUT}"


def be_discreet(library: str) -> None:
    """Filter all loggers that a library has so far; harmless when called again."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        own = name == library or name.startswith(f"{library}.")
        if own and isinstance(logger, logging.Logger) and FILTER not in logger.filters:
            logger.addFilter(FILTER)


FILTER = Discreet()
