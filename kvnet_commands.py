"""The commands as programs: what surrounds their imports and their end.

Ctrl-C while Python imports the library, or after the results are printed, must not show a
traceback; so this file is outside the package, whose import takes half a second.
"""

import signal
import sys
from importlib import import_module


def train_babi() -> int:
    """Run ``kvnet.cli.train_babi``; return the exit code."""
    return _run("kvnet.cli.train_babi", "train_babi.py")


def train_kb() -> int:
    """Run ``kvnet.cli.train_kb``; return the exit code."""
    return _run("kvnet.cli.train_kb", "train_kb.py")


def train_lm() -> int:
    """Run ``kvnet.cli.train_lm``; return the exit code."""
    return _run("kvnet.cli.train_lm", "train_lm.py")


def lab() -> int:
    """Run ``kvnet.lab.command``; return the exit code."""
    return _run("kvnet.lab.command", "kvnet-lab")


def _run(module, name):
    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not with nohup
    if interrupts:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends the process, silently
    try:
        command = import_module(module)
    except ModuleNotFoundError as error:
        remedy = "install kvnet first: python -m pip install -e ."
        print(f"{name}: {error}; {remedy}", file=sys.stderr)
        return 2
    if not interrupts:
        return command.main()
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        code = command.main()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is written; Python still ends threads
        return code
    except KeyboardInterrupt:  # between the lines above: `main` handles it itself
        return 130
