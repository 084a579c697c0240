"""Functions of PyTorch and JAX; these tests run where the `bench` extra is installed."""

import re

import numpy as np
import pytest
from helpers import ROOT

from kvnet.gradcheck import METHODS, GradientError, check_gradients, from_jax, from_torch

DOCUMENT = (ROOT / "docs/gradcheck.md").read_text(encoding="utf-8")
X, W = np.arange(1.0, 4.0) / 3, np.ones(3)


def documented_example(framework):
    """Return the Python block of the document that imports a framework."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    (block,) = [block for block in blocks if f"import {framework}" in block]
    return block


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_the_documented_example(framework, capsys):
    pytest.importorskip(framework)
    exec(documented_example(framework), {})
    assert "x: error" in capsys.readouterr().out
    wrong = documented_example(framework).replace("1 - y * y", "1 - y")
    with pytest.raises(GradientError, match="the gradient of x is wrong"):
        exec(wrong, {})


def torch_function(factor):
    torch = pytest.importorskip("torch")

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return torch.tanh(x * w), 2 * x

        @staticmethod
        def backward(ctx, dy, dz):
            x, w = ctx.saved_tensors
            inner = dy * (1 - torch.tanh(x * w) ** 2)
            return inner * w + factor * 2 * dz, inner * x

    return from_torch(Product)


def jax_function(factor):
    jax = pytest.importorskip("jax")
    tanh = jax.numpy.tanh

    @jax.custom_vjp
    def product(x, w):
        return tanh(x * w), 2 * x

    def backward(saved, d_outputs):
        x, w = saved
        inner = d_outputs[0] * (1 - tanh(x * w) ** 2)
        return inner * w + factor * 2 * d_outputs[1], inner * x

    product.defvjp(lambda x, w: (product(x, w), (x, w)), backward)
    return from_jax(product)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [torch_function, jax_function])
def test_a_rule_of_its_own_is_checked(make, method):
    report = check_gradients(make(1), X, W, method=method)
    assert [checked.name for checked in report.inputs] == ["x", "w"]
    with pytest.raises(GradientError, match="the gradient of x is wrong"):
        check_gradients(make(1 + 1e-8), X, W, method=method)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_operations_of_pytorch(dtype):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
    check_gradients(from_torch(torch.tanh), x)
    report = check_gradients(from_torch(lambda x: tuple(x.max(dim=0))), x, method=METHODS[1])
    assert report.unchecked == {"output[1]": "int64"}
