"""Every operation, update and fused form is registered and checked."""

from inspect import getmembers, isfunction
from pathlib import Path

import pytest

from kvnet import operations, updates
from kvnet.gradcheck.checked_operations import CONSTANTS, OPERATIONS
from kvnet.kernels import WHOLE, fused_names
from kvnet.operations import Operations
from kvnet.updates import Updates

# Modules that define the arguments of others only.
ARGUMENTS = {operations: {"facts", "memory"}, updates: {"row_gradient"}}


@pytest.mark.parametrize(("package", "collection"), [(operations, Operations), (updates, Updates)])
def test_every_module_is_a_name_of_the_collection(package, collection):
    names = {path.stem for path in Path(package.__file__).parent.glob("*.py")} - {"__init__"}
    assert names > ARGUMENTS[package]
    for name in names - ARGUMENTS[package]:
        module_function = getattr(collection, name)
        assert module_function is getattr(package, name)
        assert module_function.__module__ == f"{package.__name__}.{name}"


@pytest.mark.parametrize(("package", "collection"), [(operations, Operations), (updates, Updates)])
def test_the_collection_has_every_public_function(package, collection):
    public = {name for name, _ in getmembers(package, isfunction)}
    assert public == {name for name, _ in getmembers(collection, isfunction)} - {"__init__"}
    assert public == {name for name in package.__all__ if name.islower()}


def test_gradcheck_checks_every_operation_that_has_a_gradient():
    public = {name for name in operations.__all__ if name.islower()}
    assert public == {*OPERATIONS, *CONSTANTS}
    assert not set(OPERATIONS) & set(CONSTANTS)


@pytest.mark.parametrize("folder", ["numpy", "cuda"])
def test_every_kernel_replaces_an_operation_or_update_or_computes_a_whole_step(folder):
    fused = set(fused_names(folder))
    assert set(WHOLE) < fused
    for name in fused - set(WHOLE):
        assert hasattr(Operations, name) != hasattr(Updates, name), name


def test_gradcheck_compares_every_fused_operation_with_the_textbook():
    compared = {name for name, subject in OPERATIONS.items() if "kernels" in subject.variants}
    assert compared == set(fused_names("numpy")) & set(OPERATIONS)
