"""The code passes the linter and the formatter, and is packaged completely."""

import subprocess
import sys
import tarfile

import pytest
from helpers import ROOT
from helpers.tracked_files import tracked_files

ONLY_IN_A_CHECKOUT = {".gitignore", ".ci/run"}


def test_every_folder_of_code_is_a_package():
    folders = {path.parent for path in (ROOT / "kvnet").rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(command):
    tracked = tracked_files()
    files = ["."] if tracked is None else [name for name in tracked if name.endswith(".py")]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, *files], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_source_archive_has_every_file_of_the_repository(tmp_path):
    tracked = tracked_files()
    if tracked is None:
        pytest.skip("not a checkout")
    command = ["egg_info", "--egg-base", tmp_path, "sdist", "--dist-dir", tmp_path]
    subprocess.run([sys.executable, "setup.py", "-q", *command], cwd=ROOT, check=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert set(tracked) - names == ONLY_IN_A_CHECKOUT
    assert not [name for name in names if "__pycache__" in name]
