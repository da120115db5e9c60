"""Who feeds the machine.

In: a machine and a source. Out: the machine, READY or REJECTED. Refuses: nothing itself.
"""

from __future__ import annotations

from qcowspec.machine import Machine
from qcowspec.source import Source


def drive(machine: Machine, source: Source) -> Machine:
    """Feed a machine from a source until it is done, one read at a time.

    Raises:
        Unreadable: The source failed.
    """
    while (need := machine.need) is not None:
        machine.feed(source.read_at(need.offset, need.length))
    return machine
