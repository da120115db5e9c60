"""What a byte is, for people: a document of `explain` or `explain_guest` as lines.

In: the document. Out: lines. Refuses: to print text from an image raw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qcowspec.report.style import Style, plain_style
from qcowspec.report.words import plural, printable, size

Plain = dict[str, Any]

OWNERS_SHOWN = 16
"""References that are printed; JSON has more."""

WIDTH = 11
"""Columns of a line's first word."""


def host_lines(said: Plain, style: Style = plain_style) -> Iterator[str]:
    """What a byte of the image file is."""
    offset = said["offset"]
    yield style(f"byte {offset:#x} ({offset:,}): {printable(said['is'])}", "title")
    if said["bytes"]:
        yield _line("bytes", bytes.fromhex(said["bytes"]).hex(" "))
    for inside in said["inside"]:
        yield from _inside(inside)
    if said["cluster"] is None:
        yield _line("cluster", said["why_no_cluster"])
    else:
        yield from _cluster(said["cluster"])
    for seen in said["guest"]:
        yield _line("guest", _seen(seen))
    yield from _rules(said["rules"], style)
    for number, cut in enumerate(said["cuts"]):
        yield _line("" if number else "incomplete", cut["says"])


def _line(word: str, says: str) -> str:
    return f"  {word:<{WIDTH}}{printable(says)}"


def _inside(inside: Plain) -> Iterator[str]:
    for level in inside["levels"]:
        says = f"{level['name']}, {level['length']:#x} bytes at {level['offset']:#x}"
        if "layout" in level:
            says += f", {level['layout']}"
        yield _line("in" if level is inside["levels"][0] else "field", says)
    last = inside["levels"][-1]
    if isinstance(last.get("value"), int):
        yield _line("value", f"{last['value']:#x} ({last['value']}){_bits(last)}{_meaning(last)}")
        yield from _named_bits(last)
    elif last.get("meaning") and not inside.get("entries"):
        yield _line("value", last["meaning"])
    for entry in inside.get("entries", ()):
        yield _line(
            "entry", f"[{entry['index']}] at {entry['offset']:#x}: 0x{entry['raw']}{_bits(entry)}"
        )
        yield _line("", entry["meaning"])
        yield from _named_bits(entry)


def _named_bits(data: Plain) -> Iterator[str]:
    """The bits of the byte by name, a flag or a field a line."""
    for number, part in enumerate(data.get("named_bits", ())):
        high, low = part["bits"]
        one, value = high == low, part["value"]
        says = (
            f"{high}: {part['name']} = {value}"
            if one
            else (f"{high} to {low}: {part['name']} = {value:#x}")
        )
        yield _line("" if number else "bits", says)


def _bits(data: Plain) -> str:
    return ", this byte is bits {} to {}".format(*data["bits"]) if "bits" in data else ""


def _meaning(data: Plain) -> str:
    return f": {data['meaning']}" if data.get("meaning") else ""


def _cluster(cluster: Plain) -> Iterator[str]:
    count, place = cluster["references"], cluster["refcount_at"]
    if place is not None:
        refcount = "cannot be read" if cluster["refcount"] is None else cluster["refcount"]
        says = f"{cluster['offset']:#x}, refcount {refcount} at {place['path']}"
        yield _line("cluster", says + (f" ({place['note']})" if place["note"] else ""))
    for owner in cluster["owners"][:OWNERS_SHOWN]:
        says = owner["path"] + (
            f", located by {owner['by']}" if owner["by"] != owner["path"] else ""
        )
        where = "" if owner["has_byte"] else "; not this byte"
        yield _line("owner", f"{says} ({owner['owner']}{where})")
    if (left := count - len(cluster["owners"][:OWNERS_SHOWN])) > 0:
        yield _line("", f"and {plural(left, 'reference')} more")
    if not count:
        yield _line("owner", "none")


def _seen(seen: Plain) -> str:
    state = seen["state"] or "active state"
    if seen["kind"] is None:
        return f"{state}: {seen['why']}"
    where = f"{state}: at {seen['offset']:#x}"
    if seen["kind"] == "compressed":
        return f"{where}, compressed: in {size(seen['length'])} from there on"
    if seen["kind"] == "past-the-disk":
        return f"{where}, past the end of the disk, as VM state is"
    return where if seen["kind"] == "data" else f"{where}, which reads as {seen['kind']}"


def _rules(rules: list[Plain], style: Style) -> Iterator[str]:
    for rule in rules:
        if rule["state"] == "broken":
            yield "  " + style(f"{'broken':<{WIDTH}}{rule['message']} [{rule['rule']}]", "bad")
    for state, word in (("holds", "hold"), ("not looked at", "unseen")):
        names = [rule["rule"] for rule in rules if rule["state"] == state]
        names = list(dict.fromkeys(names))
        for start in range(0, len(names), TOGETHER):
            shown = ", ".join(names[start : start + TOGETHER])
            yield _line(word if start == 0 else "", shown)


TOGETHER = 4
"""Rules that are named on one line."""


def guest_lines(said: Plain, style: Style = plain_style) -> Iterator[str]:
    """Where a byte of the disk is."""
    offset, state = said["guest_offset"], said["snapshot"] or "active state"
    heading = f"guest byte {offset:#x} ({offset:,}), {state}"
    if offset >= said["size"]:
        heading += f": past the end of the disk, which has {said['size']:#x} bytes"
    yield style(heading, "title")
    for layer in said["layers"]:
        yield _line("layer", f"{layer['depth']}: {layer['file']}")
        yield from _way(layer)
    if said["host"] is not None:
        yield from _host(said["host"])
    if said["byte"] is not None:
        yield _line("byte", f"{said['byte']:#04x}")
    elif said["layers"]:
        yield _line("byte", f"not known: {said['why_no_byte']}")


def _host(host: Plain) -> Iterator[str]:
    """The host byte in brief."""
    yield _line("host", f"{host['offset']:#x}: {host['is']}")
    if host["why_no_cluster"]:
        yield _line("cluster", host["why_no_cluster"])
        return
    refcount = "" if host["refcount"] is None else f"refcount {host['refcount']}, "
    yield _line("cluster", refcount + plural(host["references"], "reference"))
    for owner in host["owners"]:
        yield _line("owner", owner)
    if (left := host["references"] - len(host["owners"])) > 0:
        yield _line("", f"and {plural(left, 'reference')} more")
    for number, cut in enumerate(host["cuts"]):
        yield _line("" if number else "incomplete", cut["says"])


def _way(layer: Plain) -> Iterator[str]:
    if "l1" in layer and layer["l1"] is None:
        yield _line("L1", "no entry for this offset")
    for word, key in (("L1", "l1"), ("L2", "l2")):
        if (entry := layer.get(key)) is not None:
            yield _line(word, f"{entry['path']} at {entry['offset']:#x}: 0x{entry['raw']}")
            yield _line("", entry["meaning"])
    if "subcluster" in layer:
        yield _line("subcluster", f"{layer['subcluster']}")
    if layer["error"]:
        yield _line("error", layer["error"])
        return
    where = f"{layer['kind']}"
    if layer["host_offset"] is not None:
        file = "the data file" if layer.get("data_file") else "the file"
        where += f", at {layer['host_offset']:#x} of {file}"
    if "compressed_length" in layer:
        where += f", up to {size(layer['compressed_length'])} of payload"
    yield _line("is", where)
