"""The functions of jax.numpy, jax.nn and jax.scipy.special of one to three arrays."""

import inspect
from contextlib import suppress
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy

from zoo.foreign_function import ForeignFunction

MODULES = ("jax.numpy", "jax.nn", "jax.scipy.special")
ARGUMENTS = (1, 2, 3)
SHAPE = (3, 3)
jax.config.update("jax_enable_x64", True)


def normal(rng):
    """Draw numbers near 1, of both signs."""
    return rng.standard_normal(SHAPE)


def unit(rng):
    """Draw numbers between 0 and 1."""
    return rng.uniform(0.05, 0.95, SHAPE)


def small(rng):
    """Draw positive numbers from 1e-9 to 1."""
    return 10 ** rng.uniform(-9, 0, SHAPE)


def large(rng):
    """Draw numbers of very different size, of both signs, and a zero."""
    x = rng.choice([-1, 1], SHAPE) * 10 ** rng.uniform(-5, 2, SHAPE)
    x[0, 0] = 0
    return x


DOMAINS = (normal, unit, small, large)


def names() -> list[str]:
    """List the functions."""
    return [
        f"{module}.{name}"
        for module in MODULES
        for name, function in inspect.getmembers(import_module(module), callable)
        if not name.startswith("_") and not inspect.isclass(function)
    ]


def functions(name: str) -> list[ForeignFunction]:
    """Return a function in each domain, with as few arrays as it takes and has a gradient of."""
    module, _, stem = name.rpartition(".")
    found, passes = [], _passes(getattr(import_module(module), stem))
    for domain in DOMAINS:
        for count in ARGUMENTS:
            rng = numpy.random.default_rng(count)
            inputs = [domain(rng) for _ in range(count)]
            with suppress(Exception):  # it takes fewer arrays, or no floats
                function = ForeignFunction(f"{name}#{domain.__name__}", *passes, inputs)
                if function.depends_on_inputs():
                    found.append(function)
                    break
    return found


def _passes(raw):
    def joined(*arrays):
        outputs = [jnp.asarray(x) for x in jax.tree.leaves(raw(*arrays))]
        outputs = [x for x in outputs if x.dtype in ("float64", "complex128")]
        return outputs[0] if len(outputs) == 1 else jnp.concatenate([x.ravel() for x in outputs])

    compiled = jax.jit(joined)
    pullback = jax.jit(lambda arrays, d_output: jax.vjp(joined, *arrays)[1](d_output))

    def forward(*arrays):
        return numpy.array(compiled(*arrays))

    def gradients(arrays, d_output):
        return [numpy.array(g) for g in pullback(tuple(arrays), d_output)]

    return forward, gradients
