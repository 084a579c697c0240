"""The files of the repository: those that git tracks, or all of an unpacked archive."""

import subprocess

from helpers import ROOT


def tracked_files():
    """Return the tracked files, relative to the root, or None where the root is no checkout."""
    command = ["git", "ls-files", "-z", "--cached"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # no git, or no checkout
        return None
    if not (ROOT / ".git").exists():  # unpacked inside another repository
        return None
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]
