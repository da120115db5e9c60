"""`qcowspec`, and `python -m qcowspec`.

What a person interrupts before anything has begun ends without a word: modules are imported with
Python's own answer to Ctrl-C, a traceback, switched off.
"""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where nohup ignores it
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from qcowspec.cli import main

if __name__ == "__main__":
    main()
