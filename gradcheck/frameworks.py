"""Functions of PyTorch and JAX with a backward pass of their own, in the form that is checked."""

import inspect
from collections.abc import Callable

import numpy


def from_torch(function) -> Callable:
    """Wrap a function of PyTorch tensors, such as a `torch.autograd.Function`.

    PyTorch is imported when this function is called.

    Parameters
    ----------
    function : subclass of torch.autograd.Function, or callable
        Takes tensors, and returns a tensor or a tuple of tensors. Its gradients are those of
        PyTorch's autograd, hence of the `backward` of an autograd function.

    Returns
    -------
    wrapped : callable
        ``(*arrays) -> (output, ..., backward)``, of NumPy arrays on the CPU.
    """
    import torch

    is_function = isinstance(function, type) and issubclass(function, torch.autograd.Function)
    apply = function.apply if is_function else function

    def wrapped(*inputs):
        tensors = [torch.tensor(x) if isinstance(x, numpy.ndarray) else x for x in inputs]
        moving = [
            x.requires_grad_()
            for x in tensors
            if isinstance(x, torch.Tensor) and x.dtype in (torch.float32, torch.float64)
        ]
        returned = apply(*tensors)
        outputs = returned if isinstance(returned, tuple) else (returned,)

        def backward(*d_outputs):
            pairs = [
                (output, torch.as_tensor(d, dtype=output.dtype))
                for output, d in zip(outputs, d_outputs, strict=True)
                if d is not None and output.requires_grad
            ]
            gradients = torch.autograd.grad(
                [output for output, _ in pairs],
                moving,
                [d for _, d in pairs],
                retain_graph=True,
                allow_unused=True,
            )
            gradients = [
                torch.zeros_like(x) if gradient is None else gradient
                for x, gradient in zip(moving, gradients, strict=True)
            ]
            return tuple(gradient.numpy() for gradient in gradients)

        arrays = (x.detach().resolve_conj().resolve_neg().numpy() for x in outputs)
        return *arrays, backward

    wrapped.__signature__ = _signature(function.forward if is_function else function, is_function)
    return wrapped


def from_jax(function: Callable) -> Callable:
    """Wrap a function of JAX arrays, such as one with a `jax.custom_vjp`.

    JAX is imported when this function is called, and computes in float64 while it is checked.

    Parameters
    ----------
    function : callable
        Takes arrays, and returns an array or a tuple of arrays. Its gradients are those of
        `jax.vjp`, hence of its own rule.

    Returns
    -------
    wrapped : callable
        ``(*arrays) -> (output, ..., backward)``, of NumPy arrays.
    """
    import jax

    def wrapped(*inputs):
        with _float64(jax):
            returned = function(*inputs)
            is_tuple = isinstance(returned, tuple)
            arrays = [numpy.asarray(x) for x in (returned if is_tuple else (returned,))]

        def backward(*d_outputs):
            kept = [isinstance(x, numpy.ndarray) and x.dtype.kind == "f" for x in inputs]

            def of_floats(*floats):
                remaining = iter(floats)
                pairs = zip(kept, inputs, strict=True)
                return function(*[next(remaining) if k else x for k, x in pairs])

            with _float64(jax):
                floats = [x for k, x in zip(kept, inputs, strict=True) if k]
                _, pull_back = jax.vjp(of_floats, *floats)
                cotangents = tuple(
                    numpy.zeros(x.shape, jax.dtypes.float0) if d is None else jax.numpy.asarray(d)
                    for x, d in zip(arrays, d_outputs, strict=True)
                )
                gradients = pull_back(cotangents if is_tuple else cotangents[0])
                return tuple(numpy.asarray(gradient) for gradient in gradients)

        return *arrays, backward

    wrapped.__signature__ = _signature(function, False)
    return wrapped


def _float64(jax):
    """Return a context in which JAX computes in float64."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64

    return enable_x64()


def _signature(function, skips_first):
    """Return the parameters of a function, whose names are those of the inputs."""
    try:
        parameters = list(inspect.signature(function).parameters.values())[skips_first:]
    except (TypeError, ValueError):
        parameters = [inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL)]
    return inspect.Signature(parameters)
