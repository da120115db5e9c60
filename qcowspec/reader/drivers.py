"""Feeding a machine from a source.

In: a machine and a source. Out: the machine, READY or REJECTED. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from qcowspec.reader.machine import Machine
from qcowspec.sources.source import AsyncSource, Source

Elsewhere = Callable[[Callable[[bytes], None], bytes], Awaitable[None]]
"""Calls a function with an argument in another thread than the event loop's."""


def drive(machine: Machine, source: Source) -> Machine:
    """Feed a machine from a source until it is done, one read at a time.

    Raises:
        Unreadable: The source failed.
    """
    while (need := machine.need) is not None:
        machine.feed(source.read_at(need.offset, need.length))
    return machine


async def drive_async(
    machine: Machine,
    source: AsyncSource,
    elsewhere: Elsewhere,
) -> Machine:
    """The same on an event loop, which does other work while it waits for bytes.

    Args:
        machine: The machine.
        source: Where its bytes are awaited.
        elsewhere: Runs the machine on the bytes.

    Raises:
        Unreadable: The source failed.
    """
    while (need := machine.need) is not None:
        # The machine's work between two needs may take seconds.
        await elsewhere(machine.feed, await source.read_at_async(need.offset, need.length))
    return machine
