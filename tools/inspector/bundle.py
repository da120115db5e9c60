"""The JavaScript of the inspector as modules, and all of them as one script.

Comes in: the repository. Goes out: text. Refuses: nothing itself; where there is no compiler of the
parsers it passes `tools.generator.compiler.NoCompilerError` on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.generator import compiler, javascript

HERE = Path(__file__).parent
FEEDER = (
    "text", "source", "work", "nodes", "judge", "entries", "claims", "image", "tables", "usage",
    "disk", "model", "start",
)  # fmt: skip
"""The feeder's modules."""

RUNTIME = "KaitaiStream.js"

LOADER = """\
const modules = {{
{modules}
}};
const loaded = {{}};
const load = (asked) => {{
  const name = asked in modules ? asked : asked + "/index";
  if (!(name in loaded)) {{
    const module = (loaded[name] = {{ exports: {{}} }});
    const folder = name.replace(/[^/]*$/, "");
    const near = (other) => load(other.startsWith("./") ? folder + other.slice(2) : other);
    modules[name](module, module.exports, near);
    loaded[name] = module;
  }}
  return loaded[name].exports;
}};
"""
"""What finds the modules in the page; Node has its own."""


def parsers(root: Path) -> dict[str, str]:
    """The files of the package of parsers, which note where each field stands."""
    return javascript.build(root, target="javascript:positions")


def runtime() -> str:
    """The runtime library of the parsers, as it is installed."""
    compiler.install()
    return (compiler.KSC / "node_modules" / "kaitai-struct" / RUNTIME).read_text("utf-8")


def write(root: Path, folder: Path, facts: Mapping[str, Any]) -> Path:
    """Write the modules so that Node runs them: for tests.

    Returns:
        The folder of the feeder.
    """
    package = folder / "node_modules" / javascript.NAME
    library = folder / "node_modules" / "kaitai-struct"
    for made in (package, library):
        made.mkdir(parents=True)
    for name, text in parsers(root).items():
        (package / name).write_text(text, "utf-8")
    (library / RUNTIME).write_text(runtime(), "utf-8")
    for name in FEEDER:
        (folder / f"{name}.js").write_text((HERE / f"{name}.js").read_text("utf-8"), "utf-8")
    (folder / "facts.json").write_text(json.dumps(facts), "utf-8")
    return folder


def script(root: Path, facts: Mapping[str, Any]) -> str:
    """All modules as one script, which defines `load`."""
    texts = {"kaitai-struct/KaitaiStream": runtime()}
    for name, text in parsers(root).items():
        if name.endswith(".js") and name != "example.js":
            texts[f"{javascript.NAME}/{name.removesuffix('.js')}"] = _without_docs(text)
    # The inspector's own rows stand in the facts.
    texts[f"{javascript.NAME}/rules.json"] = "module.exports = [];"
    texts["inspector/facts.json"] = f"module.exports = {safe_json(facts)};"
    for name in FEEDER:
        texts[f"inspector/{name}"] = (HERE / f"{name}.js").read_text("utf-8")
    made = [
        f"{json.dumps(name)}(module, exports, require) {{\n{text}\n}},"
        for name, text in texts.items()
    ]
    return LOADER.format(modules="\n".join(made))


def safe_json(value: object) -> str:
    """JSON that ends no script and no line of JavaScript, whatever it holds."""
    text = json.dumps(value, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _without_docs(text: str) -> str:
    """A generated file without the texts of the specification, which nobody reads in a page."""
    return re.sub(r"^ */\*\*.*?\*/\n", "", text, flags=re.DOTALL | re.MULTILINE)
