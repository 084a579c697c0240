"""Which folder may import which: import-linter on a copy of the package as it is installed.

The editable installation maps ``kvnet.kernels`` and ``kvnet.gradcheck`` to other folders, where
import-linter does not find them. A built copy has them inside ``kvnet``.
"""

import ast
import os
import shutil
import subprocess
import sys

import pytest
from helpers import ROOT

from kvnet import kernels

PACKAGES = (
    *("operations", "updates", "kernels", "data", "models", "training", "cli"),
    *("gradcheck", "lab"),
)
UPWARD = {  # for each package, an import that its layer must not have
    "operations": "from kvnet.updates.sgd import sgd",
    "updates": "import kvnet.kernels",
    "data": "from kvnet.models.network import Network",
    "kernels": "from kvnet.training.trainer import Trainer",
    "models": "def later():\n    from kvnet.training.trainer import Trainer",
    "training": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import kvnet.cli.ask",
    "cli": "import kvnet.gradcheck",
    "gradcheck": "from kvnet.lab import stories",
    "files": "import kvnet.operations",
    "kernels/parts": "from kvnet.data.batch import Batch",
    "kernels/cuda": "from kvnet.models.memn2n import MemN2N",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the package, made as a wheel's is."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "setup.py", "-q", "build", "-b", folder / "b", "-t", folder / "b"]
    subprocess.run([*command, "build_py", "-d", folder / "lib"], cwd=ROOT, check=True)
    shutil.copy(ROOT / "pyproject.toml", folder / "lib")
    return folder / "lib"


def run(folder, *command):
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )


def lint(folder):
    cli = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = run(folder, "-c", cli, "--no-cache")
    return done.returncode, done.stdout + done.stderr


def test_the_graph_has_every_package(built):
    code = "import grimp; print(*grimp.build_graph('kvnet', cache_dir=None).modules)"
    done = run(built, "-c", code)
    modules = set(done.stdout.split())
    assert {f"kvnet.{package}" for package in PACKAGES} <= modules, done.stderr
    names = {path.relative_to(built) for path in (built / "kvnet").rglob("*.py")}
    assert modules == {".".join(n.with_suffix("").parts).removesuffix(".__init__") for n in names}


def test_every_layer_imports_lower_layers_only(built):
    code, output = lint(built)
    assert code == 0, output


@pytest.mark.parametrize("package", UPWARD)
def test_an_upward_import_is_found(built, package, tmp_path):
    copy = tmp_path / "lib"
    shutil.copytree(built, copy)
    (copy / "kvnet" / package / "planted.py").write_text(UPWARD[package] + "\n")
    code, output = lint(copy)
    assert code == 1
    assert f"kvnet.{package.replace('/', '.')}.planted" in output


def test_only_the_choice_of_kernels_imports_by_name():
    """A call of ``import_module`` is invisible to import-linter."""
    found = {}
    for folder in ("kvnet", "kernels", "gradcheck"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                name = getattr(node, "id", getattr(node, "attr", getattr(node, "module", "")))
                aliases = getattr(node, "names", ())  # strings in a `global` statement
                names = [name, *(getattr(alias, "name", alias) for alias in aliases)]
                if {"import_module", "__import__", "importlib"} & set(filter(None, names)):
                    found.setdefault(path.relative_to(ROOT).as_posix(), []).append(node)
    assert sorted(found) == ["gradcheck/checkout_name.py", "kernels/__init__.py"]
    source = (ROOT / "kernels/__init__.py").read_text()
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "import_module"
    ]
    assert {ast.unparse(call.args[0]) for call in calls} == {"f'{PACKAGES[folder]}.{name}'"}
    assert all(name.split(".")[:2] == ["kvnet", "kernels"] for name in kernels.PACKAGES.values())


def test_only_the_backend_module_imports_cupy():
    for folder in ("kvnet", "kernels", "gradcheck"):
        for path in (ROOT / folder).rglob("*.py"):
            if path != ROOT / "kvnet/backend.py":
                assert "import cupy" not in path.read_text(), path
