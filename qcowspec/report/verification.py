"""An image file held against the receipt of the conversion that wrote it.

In: a receipt's bytes, which anybody may have written, and a source. Out: comparisons. Refuses: what
is no receipt, with `NoReceipt`, and a source that cannot be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from qcowspec.errors import QcowError, Unreadable
from qcowspec.guest import Disk
from qcowspec.image import Image
from qcowspec.reader import opening
from qcowspec.report.matrix import rules_sha256
from qcowspec.report.receipt import LARGEST, PROFILES, SCHEMA, verdicts
from qcowspec.report.words import printable
from qcowspec.sources.gate import RAW
from qcowspec.sources.source import Source
from qcowspec.transfer.digests import Progress, of_disk, of_file, sha256_of

LARGEST_RECEIPT = 1 << 20
"""Bytes of a receipt, at most: ours have a few thousand."""

DIGEST = re.compile(r"[0-9a-f]{64}")
RULE = re.compile(r"[a-z0-9-]{1,60}(/[a-z0-9-]{1,60})+")
FORMATS = (RAW, "qcow2")
MOST_RULES = 1000


class NoReceipt(ValueError):
    """A file is no receipt of a conversion."""


class Receipt(NamedTuple):
    """What a receipt says of the file that was written.

    Attributes:
        format: ``raw`` or ``qcow2``.
        length: Bytes of the file.
        sha256: Of the file.
        disk_length: Bytes of its disk.
        disk_sha256: Of its disk.
        verdicts: Each profile's verdict and the rules that are broken; None of a raw file.
        rules_sha256: By which rules.
    """

    format: str
    length: int
    sha256: str
    disk_length: int
    disk_sha256: str
    verdicts: dict[str, str] | None
    rules_sha256: str


class Comparison(NamedTuple):
    """Something that stands in the receipt, and is asked of the file.

    Attributes:
        what: ``length``, ``sha256``, ``disk.length``, ``disk.sha256``, or ``verdicts.PROFILE``.
        receipt: The receipt's answer.
        image: The file's; None if it was not asked for, as the file differs already.
        reason: Why there is none.
    """

    what: str
    receipt: int | str
    image: int | str | None
    reason: str | None = None

    @property
    def equal(self) -> bool:
        """Whether both are the same."""
        return self.receipt == self.image


def parsed(data: bytes) -> Receipt:
    """A receipt; of its keys those are looked at that are needed here.

    Raises:
        NoReceipt: It is not as docs/receipt.schema.json has them.
    """
    try:
        document = json.loads(data)
    except RecursionError as error:
        raise NoReceipt("is no receipt: it is nested too deep") from error
    except ValueError as error:
        raise NoReceipt("is no receipt: it is no JSON") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise NoReceipt(f"is no receipt of {SCHEMA}")
    result = _at(document, "result", dict)
    form = _at(result, "result.format", str, FORMATS.__contains__)
    disk = _at(result, "result.disk", dict)
    rules = _at(document, "rules", dict)
    judged = _at(result, "result.verdicts", type(None) if form == RAW else dict)
    return Receipt(
        form,
        _at(result, "result.length", int, lambda number: 0 <= number < 1 << 63),
        _at(result, "result.sha256", str, DIGEST.fullmatch),
        _at(disk, "result.disk.length", int, lambda number: 0 <= number <= LARGEST),
        _at(disk, "result.disk.sha256", str, DIGEST.fullmatch),
        None if judged is None else {name: _verdict(judged, name) for name in PROFILES},
        _at(rules, "rules.sha256", str, DIGEST.fullmatch),
    )


def _at(
    values: dict[str, Any], path: str, kind: type, is_right: Callable[[Any], object] | None = None
) -> Any:
    """The value of a path's last key."""
    found = values.get(path.rpartition(".")[2], ...)
    if type(found) is not kind or not (is_right is None or is_right(found)):
        raise NoReceipt(f"is no receipt: {path} is not as docs/receipt.schema.json has it")
    return found


def _verdict(judged: dict[str, Any], profile: str) -> str:
    path = f"result.verdicts.{profile}"
    row = _at(judged, path, dict)
    word = _at(row, f"{path}.verdict", str, ("accept", "reject").__contains__)
    rules = _at(row, f"{path}.errors", list, lambda rows: len(rows) <= MOST_RULES)
    if not all(isinstance(rule, str) and RULE.fullmatch(rule) for rule in rules):
        raise NoReceipt(f"is no receipt: {path}.errors has what is no rule")
    return _words(word, rules)


def _words(verdict: str, rules: list[str]) -> str:
    return ": ".join([verdict, *([", ".join(sorted(rules))] if rules else [])])


def compared(
    receipt: Receipt, source: Source, progress: Progress | None = None
) -> list[Comparison]:
    """Hold a file against a receipt; no other file is opened, whatever it names.

    A file of another length, or a disk of another size, is not read to its end: it differs already.

    Args:
        receipt: What the file has to be.
        source: The file.
        progress: Called with the number of bytes that were read since the last call.

    Raises:
        Unreadable: The file cannot be read.
    """
    is_raw = receipt.format == RAW  # then all bytes of the file are the disk's
    disk, why = (None, None) if is_raw else _disk(source, receipt.format)
    size = source.length if is_raw else None if disk is None else disk.size
    file = [of_file(source)] if source.length == receipt.length else []
    data = [of_disk(disk)] if disk is not None and size == receipt.disk_length else []
    try:
        digests = sha256_of([*file, *data], progress)
    except Unreadable:
        raise
    except QcowError as error:  # of the disk: what was written could be read
        data, why = [], str(error)
        digests = sha256_of(file, progress)
    sha = digests[0] if file else None
    disk_sha = sha if is_raw else digests[-1] if data else None
    found = [
        Comparison("length", receipt.length, source.length),
        Comparison("sha256", receipt.sha256, sha, OTHER_SIZE),
        Comparison("disk.length", receipt.disk_length, size, why),
        Comparison(
            "disk.sha256", receipt.disk_sha256, disk_sha, why or "not read: the size differs"
        ),
    ]
    if receipt.verdicts is not None:
        today = verdicts(source, receipt.format)
        for profile, wanted in receipt.verdicts.items():
            row = today[profile]
            judged = _words(row["verdict"], row["errors"])
            found.append(Comparison(f"verdicts.{profile}", wanted, judged))
    return found


OTHER_SIZE = "not read: the length differs"


def _disk(source: Source, format: str) -> tuple[Disk | None, str | None]:
    """The disk of an image, or why it has none that can be read."""
    try:
        disk = Image(source, opening.laid_open(source, format)).disk()
        disk.open_all()
    except Unreadable:
        raise
    except QcowError as error:
        return None, str(error)
    return disk, None


def as_data(receipt: Receipt, found: list[Comparison], name: str) -> dict[str, Any]:
    """The result as values of JSON."""
    rows = [
        {"what": row.what, "equal": row.equal, "receipt": row.receipt, "image": row.image}
        | ({} if row.image is not None else {"reason": row.reason})
        for row in found
    ]
    today = rules_sha256()
    return {
        "filename": name,
        "equal": all(row.equal for row in found),
        "comparisons": rows,
        "rules": {
            "equal": today == receipt.rules_sha256,
            "receipt": receipt.rules_sha256,
            "today": today,
        },
    }


def as_text(result: dict[str, Any]) -> Iterator[str]:
    """The same as lines for people."""
    name = printable(result["filename"])
    if result["equal"]:
        yield f"{name}: equal to what the receipt says"
        for row in result["comparisons"]:
            yield f"  {row['what']}: {_shown(row['receipt'])}"
    else:
        yield f"{name}: differs from what the receipt says"
        for row in result["comparisons"]:
            if not row["equal"]:
                said = row.get("reason") or f"{_shown(row['image'])} now"
                yield f"  {row['what']}: {_shown(row['receipt'])} in the receipt; {printable(said)}"
    if not result["rules"]["equal"]:
        yield (
            f"The receipt was made by other rules: SHA-256 {result['rules']['receipt']}; those of"
            f" today have {result['rules']['today']}."
        )


def _shown(value: int | str) -> str:
    return f"{value:,} bytes" if isinstance(value, int) else value
