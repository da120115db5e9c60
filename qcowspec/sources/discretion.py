"""What other people's libraries note in their logs of the URLs and requests that we hand them.

In: the name of a library. Out: its loggers, which leave out what may be a secret. Refuses: nothing.

fsspec notes whole URLs at level DEBUG, botocore the headers that it signs. A log is read by more
people than may know the password of a server.
"""

from __future__ import annotations

import logging

MARKS = ("authorization", "security-token", "credential=", "signature=", "signature:")
"""What stands beside a secret in a request, in lower case."""

LEFT_OUT = "…"


class Discreet(logging.Filter):
    """Lets every record pass, without what may be a secret in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter.filter`."""
        said = record.getMessage()
        safe = without_secrets(said)
        if safe != said:
            record.msg, record.args = safe, ()
        return True


def without_secrets(said: str) -> str:
    """A line of a log up to where a secret may begin: the first URL that could hold one."""
    begin, separator, rest = said.partition("://")
    if separator and any(mark in rest for mark in "@?"):
        said = f"{begin}{separator}{LEFT_OUT}"
    lower = said.lower()
    found = [lower.index(mark) + len(mark) for mark in MARKS if mark in lower]
    return said if not found else f"{said[: min(found)]}{LEFT_OUT}"


def be_discreet(library: str) -> None:
    """Have all loggers that a library has by now leave out secrets; more than once does no harm."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        own = name == library or name.startswith(f"{library}.")
        if own and isinstance(logger, logging.Logger) and FILTER not in logger.filters:
            logger.addFilter(FILTER)


FILTER = Discreet()
