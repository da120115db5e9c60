"""Calls a Python reader on one image after another: the other end of `targets.Callable_`.

In: on stdin, a path and a format a line, with a NUL between them. Out: on stdout, an answer a line,
as JSON. Refuses: a callable that cannot be imported, in its first line.

It is run as a file, by the interpreter that has the reader, and so imports nothing of ours. A
callable takes a path, and the further words after its name. It returns nothing, or the SHA-256 of
the guest's bytes as text, or a mapping: ``verdict``, ``accept`` or ``reject``; ``content``, that
SHA-256; ``rules``, the ids of the rules that it names. An error that `refuses` rejects the image;
any other is a crash.

A module is found in the current folder first, as `python -m` does.
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


def refuses(kind: type) -> bool:
    """Whether an error of a class rejects an image.

    Classes that Python does not have itself do: the reader's own, and those of its libraries.
    """
    if kind.__module__.partition(".")[0] not in sys.stdlib_module_names:
        return True
    return issubclass(kind, HONEST) and not issubclass(kind, DISHONEST)


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
    """A reader: its module, and a function that calls it."""

    module: str
    read: Callable[..., Any]


PRESETS = {
    "oslo": Preset("oslo_utils.imageutils.format_inspector", oslo),
    "dissect": Preset("dissect.hypervisor.disk.qcow2", dissect),
    "libqcow": Preset("pyqcow", libqcow),
}


def _content(read: Callable[[int], bytes], size: int) -> str | None:
    if size > MOST_CONTENT:
        return None
    digest = sha256()
    while piece := read(STEP):
        digest.update(piece)
    return digest.hexdigest()


def _found(name: str) -> Callable[..., Any]:
    """The function of a name; a preset's library is imported, so that it fails at once."""
    if name in PRESETS:
        importlib.import_module(PRESETS[name].module)
        return PRESETS[name].read
    module, _, function = name.partition(":")
    if not module or not function:
        raise ValueError("this names no function; write python:module:function")
    if module.endswith(".py"):
        folder, file = os.path.split(os.path.abspath(module))
        sys.path.insert(0, folder)
        module = file.removesuffix(".py")
    found = importlib.import_module(module)
    for part in function.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{function} cannot be called")
    return found


def _answer(read: Callable[..., Any], path: str, further: list[str]) -> dict[str, Any]:
    try:
        found = read(path, *further)
    except MemoryError:
        return {"answer": "memory", "detail": "MemoryError"}
    except Exception as error:
        kind = type(error)
        detail = f"{kind.__name__}: {error}"[:400]
        if refuses(kind):
            return {"answer": "rejects", "detail": detail}
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f" in {os.path.basename(frame.filename)}:{frame.name}"
        return {"answer": "crash", "detail": detail + where, "place": kind.__name__ + where}
    said = dict(found) if isinstance(found, Mapping) else {"content": found}
    answer = {"answer": "rejects" if said.get("verdict") == "reject" else "accepts", "detail": ""}
    kinds = {"content": str, "rules": list | tuple}
    return answer | {key: said[key] for key in kinds if isinstance(said.get(key), kinds[key])}


def main() -> None:
    """Answer until stdin ends."""
    name, further, out = sys.argv[1], sys.argv[2:], sys.stdout
    sys.stdout = sys.stderr  # a reader may print; the pipe is ours
    if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
        del sys.path[0]  # our modules are not the reader's
    sys.path.insert(0, os.getcwd())
    try:
        read = _found(name)
    except Exception as error:
        said = f"{name}: {type(error).__name__}: {error}"
        _say(out, {"error": said, "missing": isinstance(error, ImportError)})
        return
    _say(out, {"ready": name})
    for line in sys.stdin.buffer:
        path, _, taken_for = os.fsdecode(line.rstrip(b"\n")).partition("\0")
        words = [word.replace(FORMAT, taken_for) for word in further]
        _say(out, _answer(read, path, words))


def _say(out: TextIO, answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
