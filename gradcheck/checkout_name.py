"""The folder's own name, ``gradcheck``, in a checkout: another name for ``kvnet.gradcheck``."""

import importlib
import sys
from importlib.machinery import ModuleSpec

FOLDER, PACKAGE = "gradcheck", "kvnet.gradcheck"


class SameModules:
    """Finds ``gradcheck.NAME`` as ``kvnet.gradcheck.NAME``; a module is never loaded twice."""

    @classmethod
    def find_spec(cls, name: str, path=None, target=None) -> ModuleSpec | None:
        """Return a specification for the modules of the folder, except for its ``__main__``."""
        package, _, stem = name.rpartition(".")
        if package == FOLDER and stem != "__main__":
            return ModuleSpec(name, cls)
        return None

    @staticmethod
    def create_module(spec: ModuleSpec):
        """Return the module of the package."""
        module = importlib.import_module(PACKAGE + spec.name.removeprefix(FOLDER))
        spec.loader_state = module.__spec__
        return module

    @staticmethod
    def exec_module(module) -> None:
        """Restore what the import has set; the module has been executed already."""
        module.__spec__ = module.__spec__.loader_state


def use_package() -> None:
    """Make ``gradcheck``, which is being imported, a second name of the package."""
    if SameModules not in sys.meta_path:
        sys.meta_path.insert(0, SameModules)
    sys.modules[FOLDER] = importlib.import_module(PACKAGE)
