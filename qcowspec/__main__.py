"""`python -m qcowspec` is `qcowspec`."""

from qcowspec.cli import main

if __name__ == "__main__":
    main()
