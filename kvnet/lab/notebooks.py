"""The chapters as notebooks for Jupyter."""

import os
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically
from kvnet.lab.pages import CHAPTERS


def export(folder: Path) -> list[Path]:
    """Write each chapter as an ``.ipynb`` file to a folder, which is made if it is missing.

    Returns
    -------
    paths : list of Path

    Raises
    ------
    InputError
        If one of the files exists, or cannot be written.
    """
    paths = {name: folder / f"{name}.ipynb" for name in CHAPTERS}
    existing = [path for path in paths.values() if path.exists()]
    if existing:
        raise InputError(f"--export-notebooks: {existing[0]} exists already; give another folder")
    contents = {name: _notebook(name) for name in CHAPTERS}
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in paths.items():
        write_atomically(path, contents[name])
    return list(paths.values())


def _notebook(name) -> bytes:
    source = files("kvnet.lab.chapters").joinpath(f"{name}.py")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "notebook.ipynb"
        command = [sys.executable, "-m", "marimo", "-q", "export", "ipynb", str(source)]
        done = subprocess.run(
            [*command, "-o", str(target)],
            env=os.environ | {"MARIMO_SKIP_UPDATE_CHECK": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise InputError(f"--export-notebooks: marimo cannot convert {name}.py: {reason}")
        return target.read_bytes()
