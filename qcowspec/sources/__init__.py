"""The byte sources, one module each; `qcowspec.source` chooses among them."""
