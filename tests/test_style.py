"""The code passes the linter and the formatter, and is packaged completely."""

import subprocess
import sys

import pytest
from helpers import ROOT


def test_every_folder_of_code_is_a_package():
    folders = {path.parent for path in (ROOT / "kvnet").rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
