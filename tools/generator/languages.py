"""Which other languages the layouts compile to, as a document.

Comes in: the repository. Goes out: ``docs/languages.md`` as text. Refuses: nothing itself; what its
parts refuse passes through.
"""

from pathlib import Path

from . import compiler
from .numbers import declarations

EXAMPLE = Path(__file__).with_name("javascript_runtime") / "example.js"

PAGE = """# The parsers in other languages

Made by `python tools/generate.py --targets`; a test compares it with what the compiler does.

## Tasks

| you want | type |
| --- | --- |
| a package for npm | `python tools/generate.py --target javascript -o qcow-parsers` |
| to use it | `npm install --install-links ./qcow-parsers` |
| the parsers in another language | `python tools/generate.py --target java -o qcow-java` |
| to know which languages there are | `python tools/generate.py --targets` |

## JavaScript

```js
{example}```

The package has the layouts (`Qcow`, `Qcow1`, `Qcow2`, `Luks1`), and in `rules.json` the rules whose
predicates the structures carry: `broken(structure)` lists those of QEMU and of the document that a
structure breaks, `broken(structure, version, ["untrusted"])` those of another profile. Bytes are
`Uint8Array`s; an absent field is `undefined`.

JavaScript's numbers are exact up to 2^53 only. These parsers do not round: a field of 64 bits, and
all that is calculated from it, is a number up to 2^53 - 1 and a BigInt above. Compare with `<`,
`<=`, `>`, `>=` and `==`, which take both; not with `===`. Calculate with `ExactStream.add`, `sub`,
`mul`, `div`, `mod`, `shl`, `shr`, `and`, `or`, `xor`: JavaScript's own operators throw a
`TypeError` where a BigInt meets a number. `--target javascript:plain` gives what the compiler
writes, which rounds.

A test reads every test vector, and mutants, in Python and in JavaScript: the same fields, the same
rules.

## All languages of the compiler

Kaitai Struct compiler {version}. "yes": all layouts compile; what they do was tried in Python and
JavaScript only. A language whose integers are signed sees numbers above 2^63 - 1 as negative.

| `--target` | compiles | files |
| --- | --- | --- |
{rows}
"""


def page(root: Path) -> str:
    """The document.

    Args:
        root: The repository.
    """
    rows = []
    for language, made in sorted(compiler.compile_to_all(declarations(root / "formats")).items()):
        if isinstance(made, str):
            rows.append(f"| `{language}` | no: {' '.join(made.split())[:120]} | |")
        else:
            rows.append(f"| `{language}` | yes | {len(made)} |")
    return PAGE.format(
        example=EXAMPLE.read_text("utf-8"), version=compiler.version(), rows="\n".join(rows)
    )
