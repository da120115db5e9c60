"""From a layer to the one behind it.

In: the topmost layer. Out: the others, opened when somebody needs them. Refuses: loops, chains
without end, what the gate refuses, and backing files that do not open.

Source: block.c: bdrv_open_backing_file, bdrv_find_backing_image.
"""

from __future__ import annotations

import os
from threading import Lock

from qcow_parsers import constants as c

from qcowspec.chain.layers import RAW, Layer, qcow_layer, raw_layer
from qcowspec.errors import BY_KIND, NotQcow, QcowError, Unreadable, Unsupported
from qcowspec.gate import Gate
from qcowspec.metadata import Format, Metadata, Reference
from qcowspec.opening import check_readable, laid_open
from qcowspec.rules import BY_ID
from qcowspec.source import Source
from qcowspec.sources import open_beside


class Chain:
    """The layers of a virtual disk, from the top.

    Attributes:
        layers: Those that are open.
    """

    def __init__(self, top: Layer, gate: Gate, secret: bytes | None = None) -> None:
        """Begin with the image itself, whose file stays its owner's; one passphrase opens all."""
        self.layers = [top]
        self._gate = gate
        self._secret = secret
        self._lock = Lock()

    def layer(self, depth: int) -> Layer | None:
        """A layer, opened if it was not yet; None behind the last.

        Raises:
            Refused: The gate does not open it.
            Invalid: The chain comes back to itself, or the file breaks a rule.
            Unsupported: The chain is too long, or of a format that is not known.
            Unreadable: It cannot be opened.
        """
        with self._lock:
            while depth >= len(self.layers):
                behind = self._open_behind(self.layers[-1])
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

    def _open_behind(self, layer: Layer) -> Layer | None:
        """The layer behind another one."""
        metadata = layer.metadata
        if metadata is None or metadata.backing is None or not metadata.backing.name:
            return None
        if len(self.layers) >= c.POLICY_MAX_CHAIN:
            raise Unsupported(
                f"names one more backing file than the {c.POLICY_MAX_CHAIN} that are followed",
                path=layer.name,
            )
        reference = metadata.backing
        path = self._gate.admit(layer.name, reference.name, "backing file")
        if any(_is_same(path, other.name) for other in self.layers):
            raise _broken("loop", metadata, reference, layer.name)
        try:
            return _opened(layer.source, path, reference.format, self._gate, self._secret)
        except Unreadable as error:
            raise _broken("file-opens", metadata, reference, layer.name) from error


def _opened(
    above: Source, path: str, format: bytes | None, gate: Gate, secret: bytes | None
) -> Layer:
    """A backing file, in the format that the image says, or else by the probe."""
    known = (None, b"", *(name.encode() for name in (*Format, RAW)))
    if format not in known:
        row = BY_ID["backing/format-known"]
        shown = repr((format or b"").decode("utf-8", "backslashreplace"))
        raise BY_KIND[row.kind](row.message.format(value=shown), rule=row.id, path=path)
    source = open_beside(above, path)
    try:
        if format == RAW.encode():
            return raw_layer(source)
        try:
            machine = laid_open(source, (format or b"").decode() or None)
        except NotQcow:
            if format:
                raise
            return raw_layer(source)  # what no other driver claims is raw
        check_readable(machine, source.name)
        return qcow_layer(machine.image, source, gate, secret=secret)
    except BaseException:
        source.close()
        raise


def _is_same(path: str, other: str) -> bool:
    """Whether two paths, or URLs, are one file."""
    if path == other:
        return True
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _broken(what: str, metadata: Metadata, reference: Reference, path: str) -> QcowError:
    """The error of a rule about the backing file."""
    prefix = "v1-" if metadata.format is Format.QCOW else ""
    row = BY_ID[f"backing/{prefix}{what}"]
    shown = repr(reference.name.decode("utf-8", "backslashreplace"))
    return BY_KIND[row.kind](
        row.message.format(value=shown),
        rule=row.id,
        stage=row.stage,
        offset=reference.offset,
        field=f"header.{row.field}",
        value=reference.name,
        path=path,
    )
