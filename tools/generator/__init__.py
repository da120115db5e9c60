"""The generator behind ``tools/generate.py``: formats/ in, generated/ out.

One concern a module, in the order in which they run:

* ``compiler``: finds Node, installs the pinned Kaitai Struct compiler, compiles the ``.ksy`` files.
* ``layouts``: the ``.ksy`` files as dataclasses: what the stubs are made from.
* ``parsers``: the compiled Python as modules of one package; absent fields read as ``None``.
* ``inference``: what the compiler knows about the types of value instances.
* ``stubs``: a ``.pyi`` beside each parser.
* ``rows``: how strictly a row of TOML is read.
* ``constants``, ``catalogue``: the tables as typed Python.
* ``javascript``, ``languages``: the same layouts for npm, and the other languages there are.
* ``package``: all of it put together, compared and written; the check sums.
"""
