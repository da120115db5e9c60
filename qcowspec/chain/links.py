"""From a layer to the one behind it.

In: the topmost layer. Out: the others, opened when somebody needs them. Refuses: what
`qcowspec.chain.behind` refuses, and wrong passphrases.
"""

from __future__ import annotations

from threading import Lock

from qcowspec.chain.behind import open_behind
from qcowspec.chain.layers import Layer, lost_layer, qcow_layer, raw_layer
from qcowspec.chain.salvage import UNNAMED, Tolerant, located
from qcowspec.errors import Invalid, QcowError
from qcowspec.reader.opening import check_readable
from qcowspec.sources.gate import Gate


class Chain:
    """The layers of a virtual disk, from the top.

    Attributes:
        layers: Those that are open.
    """

    def __init__(
        self,
        top: Layer,
        gate: Gate,
        secret: bytes | None = None,
        *,
        keyless: bool = False,
        salvage: bool = False,
    ) -> None:
        """Begin with the image itself, whose file stays its owner's; one passphrase opens all.

        Args:
            top: The image.
            gate: Who says which files are opened.
            secret: The passphrase.
            keyless: Whether layers whose passphrase is missing are opened for their tables.
            salvage: Whether broken layers are opened too, and one that cannot be had is lost: then
                it ends the chain, and all of its bytes are `Kind.LOST`.
        """
        self.salvage = salvage
        self.layers = [top]
        self._gate = gate
        self._secret = secret
        self._keyless = keyless
        self._lock = Lock()

    def layer(self, depth: int) -> Layer | None:
        """A layer, opened if it was not yet; None behind the last.

        Raises:
            Refused: The gate does not open it.
            Invalid: The chain comes back to itself, or the file breaks a rule.
            Unsupported: The chain is too long, or the file cannot be opened, or is of a format that
                is not known or not read here.
            Unreadable: It can be opened, and not read.
        """
        with self._lock:
            while depth >= len(self.layers):
                behind = self._next(self.layers[-1])
                if behind is None:
                    return None
                self.layers.append(behind)
        return self.layers[depth]

    def open_all(self) -> list[Layer]:
        """All layers, from the top; see `layer`."""
        while self.layer(len(self.layers)) is not None:
            pass
        return self.layers

    def close(self) -> None:
        """Give back the files that the chain opened: all but the topmost image."""
        for layer in self.layers[1:]:
            layer.close()
        top = self.layers[0]
        if top.data is not top.source:
            top.data.close()

    def _next(self, layer: Layer) -> Layer | None:
        if not self.salvage:
            return self._open_behind(layer)
        try:
            return self._open_behind(layer)
        except QcowError as error:
            return lost_layer(layer, error)

    def _open_behind(self, layer: Layer) -> Layer | None:
        """The layer behind another one."""
        if layer.metadata is None:
            return None
        reference = layer.metadata.backing
        if reference is not None and reference.name == UNNAMED:
            raise Invalid("has a backing file whose name cannot be read", path=layer.name)
        met = [other.name for other in self.layers]
        found = open_behind(
            layer.metadata, layer.source, layer.given, met, self._gate, salvage=self.salvage
        )
        if found is None:
            return None
        try:
            if found.machine is None:
                return raw_layer(found.source)
            if self.salvage:
                image = located(found.machine, found.source)
            else:
                check_readable(found.machine, found.source.name)
                image = found.machine.image
            return qcow_layer(
                image,
                found.source,
                self._gate,
                secret=self._secret,
                given=found.given,
                keyless=self._keyless,
                salvage=Tolerant(found.source) if self.salvage else None,
            )
        except BaseException:
            found.source.close()
            raise
