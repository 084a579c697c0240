"""Which form of an operation or update a choice of kernels selects."""

import numpy
import pytest

from kvnet import InputError, operations, updates
from kvnet.kernels import (
    WHOLE,
    choose_operations,
    choose_updates,
    fused_names,
    whole_kernel,
)

CHOOSE = {operations: choose_operations, updates: choose_updates}


@pytest.mark.parametrize("name", sorted(set(fused_names("numpy")) - set(WHOLE)))
def test_every_kernel_file_replaces_the_operation_or_update_of_its_name(name):
    (package,) = (package for package in CHOOSE if name in package.__all__)
    for choice in ("fused", "auto"):
        function = getattr(CHOOSE[package](choice, numpy), name)
        assert function.__module__ == f"kvnet.kernels.{name}"
    assert getattr(CHOOSE[package]("reference", numpy), name) is getattr(package, name)


@pytest.mark.parametrize("package", CHOOSE)
def test_names_without_a_kernel_stay_the_textbook(package):
    fused = CHOOSE[package]("fused", numpy)
    names = {name for name in package.__all__ if name.islower()} - set(fused_names("numpy"))
    assert names
    assert all(getattr(fused, name) is getattr(package, name) for name in names)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_kernels(name):
    assert whole_kernel(name, "auto", numpy).__name__ == f"kvnet.kernels.{name}"
    assert whole_kernel(name, "reference", numpy) is None


def test_an_unknown_choice_is_refused():
    with pytest.raises(InputError, match="kernels='fast' is unknown; it takes reference, fused"):
        choose_operations("fast", numpy)
