"""From a layer to its backing file's.

In: the topmost layer. Out: the others, each opened when it is needed. Refuses: what
`qcowspec.chain.backing` refuses, and wrong passphrases.
"""

from __future__ import annotations

from threading import Lock

from qcowspec.chain.backing import open_backing
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
        """Begin with the image itself, which its owner closes.

        Args:
            top: The image.
            gate: Decides which files are opened.
            secret: The passphrase of all layers.
            keyless: Whether layers whose passphrase is missing are opened for their tables.
            salvage: Whether broken layers are opened too. One that cannot be opened ends the chain
                then, and all of its bytes are `Kind.LOST`.
        """
        self.salvage = salvage
        self.layers = [top]
        self._gate = gate
        self._secret = secret
        self._keyless = keyless
        self._lock = Lock()

    def layer(self, depth: int) -> Layer | None:
        """A layer, opened if it was not yet; None past the last.

        Raises:
            Refused: The gate does not open it.
            Invalid: The chain comes back to itself, or the file breaks a rule.
            Unsupported: The chain is too long, or the file cannot be opened, or is of a format that
                is not known or not read here.
            Unreadable: It can be opened, and not read.
        """
        with self._lock:
            while depth >= len(self.layers):
                above = self.layers[-1]
                try:
                    backing = self._backing_of(above)
                except QcowError as error:
                    if not self.salvage:
                        raise
                    backing = lost_layer(above, error)
                if backing is None:
                    return None
                self.layers.append(backing)
        return self.layers[depth]

    def open_all(self) -> list[Layer]:
        """All layers, from the top; see `layer`."""
        while self.layer(len(self.layers)) is not None:
            pass
        return self.layers

    def close(self) -> None:
        """Close the files that the chain opened: all but the topmost image."""
        for layer in self.layers[1:]:
            layer.close()
        top = self.layers[0]
        if top.data is not top.source:
            top.data.close()

    def _backing_of(self, layer: Layer) -> Layer | None:
        """The layer of an image's backing file; None if it has none."""
        if layer.metadata is None:
            return None
        reference = layer.metadata.backing
        if reference is not None and reference.name == UNNAMED:
            raise Invalid("has a backing file whose name cannot be read", path=layer.name)
        met = [other.name for other in self.layers]
        found = open_backing(
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
