"""Reading around damage: zeros in place of what cannot be read, and a record of each loss.

In: runs of a layer. Out: bytes, in a buffer; what is lost goes to `Losses`. Refuses: a file that
changes while it is read, and a server that fails: another attempt may succeed.
"""

from __future__ import annotations

from collections.abc import Sequence

from qcow_parsers import constants as c

from qcowspec.chain import Layer
from qcowspec.chain.salvage import Closed
from qcowspec.errors import Changed, QcowError, Unreadable
from qcowspec.guest.layers import LayerReader
from qcowspec.guest.losses import Losses, loss
from qcowspec.mapping import Run
from qcowspec.spec.units import GuestOffset, HostOffset


class SalvagingReader(LayerReader):
    """Reads one layer, and continues after errors.

    What fails is read again in halves, down to a sector of data or a compressed cluster, the units
    that qemu-img's ``--salvage`` skips too.
    """

    def __init__(self, layer: Layer, losses: Losses) -> None:
        super().__init__(layer)
        self._losses = losses
        self.is_direct = False  # all reads come through here
        self._is_remote = layer.data.is_remote

    def over(self, layer: Layer) -> LayerReader:
        """See `LayerReader.over`."""
        return SalvagingReader(layer, self._losses)

    def packed(self, run: Run) -> bytes:
        """See `LayerReader.packed`."""
        buffer = bytearray(run.length)
        self._unpack([[run]], memoryview(buffer), run.offset, keep=True)
        return bytes(buffer)

    def read_into(self, run: Run, into: memoryview) -> None:
        """See `LayerReader.read_into`."""
        try:
            super().read_into(run, into)
        except QcowError as error:
            self._raise_transient(error)
            size = self._part(run, error)
            if not size:
                into[:] = bytes(run.length)
                self._losses.add(loss(run.offset, run.length, error, self.layer.name))
                return
            first = size - run.offset % size
            self.read_into(_cut(run, 0, first), into[:first])
            self.read_into(_cut(run, first, run.length), into[first:])

    def _part(self, run: Run, error: QcowError) -> int:
        """Bytes of the parts in which a run is read again; 0 if all of it is lost."""
        # A broken rule affects a whole cluster, and a run may have many.
        unit = c.BDRV_SECTOR_SIZE if isinstance(error, Unreadable) else self._cluster_size
        last = run.offset + run.length - 1
        if run.offset // unit == last // unit or isinstance(self.layer.data, Closed):
            return 0
        return unit << max(0, (-(-run.length // unit) - 1).bit_length() - 1)

    def _unpack(
        self, groups: Sequence[Sequence[Run]], buffer: memoryview, base: int, *, keep: bool
    ) -> None:
        try:
            super()._unpack(groups, buffer, base, keep=keep)
        except QcowError as error:
            self._raise_transient(error)
            if len(groups) > 1:
                half = len(groups) // 2
                self._unpack(groups[:half], buffer, base, keep=keep)
                self._unpack(groups[half:], buffer, base, keep=keep)
                return
            for run in groups[0]:
                at = run.offset - base
                buffer[at : at + run.length] = bytes(run.length)
                self._losses.add(loss(run.offset, run.length, error, self.layer.name))

    def _raise_transient(self, error: QcowError) -> None:
        """Raise errors that another attempt may not meet."""
        if isinstance(error, Changed) or (isinstance(error, Unreadable) and self._is_remote):
            raise error


def _cut(run: Run, start: int, end: int) -> Run:
    """A part of a run of data, counted from its first byte."""
    end = min(end, run.length)
    assert run.host_offset is not None
    host = HostOffset(run.host_offset + start)
    return Run(run.kind, GuestOffset(run.offset + start), end - start, host)
