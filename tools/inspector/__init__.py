"""The inspector: a static page that shows a QCOW image which is dropped on it.

* ``facts``: what its JavaScript has from Python: rules, kinds, constants.
* ``bundle``: the generated parsers, the feeder and the viewer as one script.
* ``page``: one HTML file, which asks nobody for anything.

The feeder stands beside these modules, in the order in which it runs: ``source.js`` and ``work.js``
(bytes, piece by piece), ``nodes.js``, ``judge.js`` and ``entries.js`` (the generated parsers and
rules), ``image.js`` and ``tables.js`` (the stages), ``usage.js``, ``claims.js`` and ``disk.js``
(what each byte is), ``model.js`` (what the viewer takes), ``start.js`` (the page).
"""
