"""The inspector as one HTML file, which asks nobody for anything.

Comes in: the repository. Goes out: the page: the viewer of `qcowspec report`, the parsers, the
feeder, and a place to drop a file on. Refuses: nothing itself; see `bundle`.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from qcowspec.report.page.catalogue import catalogue
from tools.inspector import bundle
from tools.inspector.facts import facts, judged

VIEWER = Path("qcowspec", "report", "page")

ZONE = """\
<section id="drop" aria-label="Choose an image">
<h2>QCOW inspector</h2>
<p><label for="file">Drop a QCOW image anywhere on this page, or choose one:</label>
<input type="file" id="file"></p>
<p class="note">The file stays on this machine: this page can make no request. It reads a few
hundred kilobytes of tables, and no guest data.</p>
<p id="status" role="status" aria-live="polite"></p>
<p><button type="button" id="more" hidden>Read the next 4 MiB</button></p>
</section>
<main id="page"></main>"""

START = 'load("inspector/start").start(document, showPage, {catalogue});'


def feeder_facts() -> dict[str, Any]:
    """What the feeder knows; see `tools.inspector.facts`."""
    said = catalogue()
    return facts(said["kinds"], said["states"])


def page(root: Path) -> str:
    """The page.

    Args:
        root: The repository.
    """
    viewer = root / VIEWER
    said = catalogue(rule.id for rule in judged())
    start = START.format(catalogue=bundle.safe_json(said))
    own = f"(() => {{\n{bundle.script(root, feeder_facts())}\n{start}\n}})();"
    script = "\n".join([*(_text(path) for path in sorted(viewer.glob("viewer*.js"))), own])
    style = _text(viewer / "viewer.css") + _text(Path(__file__).with_name("inspector.css"))
    parts = {
        "<!-- policy -->": _policy(script, style),
        "<!-- title -->": "QCOW inspector",
        "<!-- style -->": style,
        '<main id="page"></main>': ZONE,
        "<!-- blocks -->": "",
        "<!-- script -->": script,
    }
    made = _text(viewer / "page.html")
    for mark, text in parts.items():
        before, found, after = made.partition(mark)
        if not found:
            raise ValueError(f"page.html has no {mark}")
        made = before + text + after
    return made


def _policy(script: str, style: str) -> str:
    """What the page may do: run its own script, and nothing else."""
    rules = [
        "default-src 'none'",
        f"script-src '{_hash(script)}'",
        f"style-src '{_hash(style)}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">'


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()


def _text(path: Path) -> str:
    return path.read_text("utf-8")
