"""Commands, run in this process or as another."""

import subprocess
import sys
import time

from helpers import ROOT


def run(main, *arguments):
    """Run a command in this process and return its exit code."""
    try:
        return main([str(a) for a in arguments])
    except SystemExit as stop:
        return stop.code


def start(script, *arguments, **options):
    """Start a script of the repository as a process with text output."""
    return subprocess.Popen(
        [sys.executable, ROOT / script, *map(str, arguments)], text=True, **options
    )


def wait_for(file, process):
    """Wait until a process has written a file."""
    while not file.exists() and process.poll() is None:
        time.sleep(0.01)
