"""Calls a Python reader on one image after another: the other end of `targets.Callable_`.

In: on stdin, a path and a format a line, with a NUL between them. Out: on stdout, an answer a line,
as JSON. Refuses: a callable that cannot be imported, in its first line.

It is run as a file, by the interpreter that has the reader, and so imports nothing of ours. A
callable takes a path, and the further words after its name. It returns nothing, or the SHA-256 of
the guest's bytes as text, or a mapping: ``verdict``, ``accept`` or ``reject``; ``content``, that
SHA-256; ``rules``, the ids of the rules that it names. An error class of the reader's own, or one
that readers use for bad files (`ValueError`, `EOFError`, `OSError`, `NotImplementedError`),
rejects the image; any other is a crash.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

HONEST = (ValueError, EOFError, OSError, NotImplementedError)
"""Built-in errors with which a reader may reject an image."""

DISHONEST = (UnicodeError,)
"""Those among them that count as a crash."""

STEP = 1 << 20

MOST_CONTENT = 1 << 28
"""Bytes of the largest disk that is read; a larger one is only opened."""


FORMAT = "{format}"
"""Placeholder for the format, in the further words."""


def oslo(path: str) -> None:
    """OpenStack's inspector, as its services check an upload."""
    inspector: Any = importlib.import_module("oslo_utils.imageutils.format_inspector")
    found = inspector.detect_file_format(path)
    if str(found) not in {"qcow2", "qcow"}:
        raise ValueError(f"taken for {found}")
    found.safety_check()


def dissect(path: str) -> str | None:
    """dissect.hypervisor: opens and reads all of the disk."""
    module: Any = importlib.import_module("dissect.hypervisor.disk.qcow2")
    with Path(path).open("rb") as file:
        image = module.QCow2(file)
        stream = image.open() if hasattr(image, "open") else image
        return _content(stream.read, image.size)


def libqcow(path: str) -> str | None:
    """The Python binding of libqcow: opens and reads all of the disk."""
    module: Any = importlib.import_module("pyqcow")
    image = module.file()
    image.open(path)
    try:
        return _content(image.read_buffer, image.get_media_size())
    finally:
        image.close()


@dataclass(frozen=True)
class Preset:
    """A reader: its module, the package whose errors are its own, and a function that calls it."""

    module: str
    package: str
    read: Callable[..., Any]


PRESETS = {
    "oslo": Preset("oslo_utils.imageutils.format_inspector", "oslo_utils", oslo),
    "dissect": Preset("dissect.hypervisor.disk.qcow2", "dissect", dissect),
    "libqcow": Preset("pyqcow", "pyqcow", libqcow),
}


def _content(read: Callable[[int], bytes], size: int) -> str | None:
    if size > MOST_CONTENT:
        return None
    digest = sha256()
    while piece := read(STEP):
        digest.update(piece)
    return digest.hexdigest()


def _found(name: str) -> Preset:
    if name in PRESETS:
        preset = PRESETS[name]
        importlib.import_module(preset.module)  # fails at once if the library is missing
        return preset
    module, _, function = name.partition(":")
    read: Callable[[str], Any] = getattr(importlib.import_module(module), function)
    return Preset(module, module.partition(".")[0], read)


def _answer(reader: Preset, path: str, further: list[str]) -> dict[str, Any]:
    try:
        found = reader.read(path, *further)
    except MemoryError:
        return {"answer": "memory", "detail": "MemoryError"}
    except Exception as error:
        kind = type(error)
        honest = isinstance(error, HONEST) and not isinstance(error, DISHONEST)
        theirs = kind.__module__.partition(".")[0] == reader.package
        if honest or theirs:
            return {"answer": "rejects", "detail": f"{kind.__name__}: {error}"[:400]}
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(frame.filename)}:{frame.name}"
        return {"answer": "crash", "detail": f"{kind.__name__} in {where}"}
    said = dict(found) if isinstance(found, Mapping) else {"content": found}
    answer = {"answer": "rejects" if said.get("verdict") == "reject" else "accepts", "detail": ""}
    kinds = {"content": str, "rules": list | tuple}
    return answer | {key: said[key] for key in kinds if isinstance(said.get(key), kinds[key])}


def main() -> None:
    """Answer until stdin ends."""
    name, further, out = sys.argv[1], sys.argv[2:], sys.stdout
    sys.stdout = sys.stderr  # a reader may print; the pipe is ours
    try:
        reader = _found(name)
    except Exception as error:
        _say(out, {"error": f"{name}: {error}"})
        return
    _say(out, {"ready": name})
    for line in sys.stdin.buffer:
        path, _, taken_for = os.fsdecode(line.rstrip(b"\n")).partition("\0")
        words = [word.replace(FORMAT, taken_for) for word in further]
        _say(out, _answer(reader, path, words))


def _say(out: TextIO, answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
