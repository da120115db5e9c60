"""A page as one HTML file: the viewer, and an image's data in it.

In: a `Page`. Out: the text of a file that opens offline and asks for nothing. Refuses: nothing.

The browser holds the page to that: its policy lets the very script and style run that are in it,
by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache
from importlib.resources import files

from qcowspec.report.page.model import Page
from qcowspec.report.page.room import embedded

SCRIPTS = ("words", "runs", "picture", "legend", "maps", "tree", "head", "plots")
"""The parts ``viewer_….js`` of the viewer, in order; ``viewer.js`` comes last, as it begins."""

POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)

GAP = re.compile("<!-- ([a-z]+) -->")
"""A place in the frame, ``page.html``, that is filled in."""


def document(page: Page) -> str:
    """The page as HTML."""
    return framed(
        title=html.escape(page.model["file"]["name"]),
        blocks=f"{_block('catalogue', page.catalogue)}\n{_block('model', page.model)}",
    )


def framed(*, title: str, blocks: str, script: str = "") -> str:
    """The frame, filled in.

    Args:
        title: The page's title, as HTML.
        blocks: What the page's script finds, as HTML.
        script: More JavaScript, which runs before the viewer's.
    """
    style, code = viewer_style(), script + viewer_script()
    policy = POLICY.format(script=_hashed(code), style=_hashed(style))
    parts = {
        "policy": f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        "title": title,
        "style": style,
        "blocks": blocks,
        "script": code,
    }
    return GAP.sub(lambda gap: parts[gap[1]], _asset("page.html"))


@cache
def viewer_script() -> str:
    """The viewer, in a function of its own; it sets ``showPage``."""
    names = [*(f"viewer_{part}.js" for part in SCRIPTS), "viewer.js"]
    return '(() => {\n"use strict";\n' + "\n".join(map(_asset, names)) + "})();\n"


@cache
def viewer_style() -> str:
    """The viewer's style sheet."""
    return _asset("viewer.css")


def _asset(name: str) -> str:
    return (files("qcowspec.report.page") / name).read_text(encoding="utf-8")


def _block(name: str, value: object) -> str:
    return f'<script type="application/json" id="{name}">{embedded(value)}</script>'


def _hashed(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
