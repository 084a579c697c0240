"""The operations of PyTorch's own test database, at its own samples."""

import numpy
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo import core
from torch.utils._pytree import tree_flatten, tree_unflatten

from zoo.foreign_function import ForeignFunction

FEW, MANY = 30, 1300  # entries of a sample: at most FEW, or if there is none, at most MANY
SAMPLES = 2  # per operation
core.M, core.L = 4, 4  # sizes of element-wise samples: 16 entries show what 400 do


def names() -> list[str]:
    """List the operations that have gradients in float64."""
    return list(_operations())


def _operations():
    return {
        f"torch.{op.name}" + f".{op.variant_test_name}" * bool(op.variant_test_name): op
        for op in op_db
        if op.supports_autograd and torch.float64 in op.supported_dtypes("cpu")
    }


def functions(name: str) -> list[ForeignFunction]:
    """Return an operation at some of its samples."""
    op = _operations()[name]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    numpy.random.seed(0)
    samples = list(op.sample_inputs("cpu", torch.float64, requires_grad=True))
    sizes = [sum(x.numel() for x in _parts(s)[0] if _is_moved(x)) for s in samples]
    few = [s for s, size in zip(samples, sizes, strict=True) if 0 < size <= FEW]
    if not few:
        size = min((size for size in sizes if size), default=MANY + 1)
        few = [s for s, n in zip(samples, sizes, strict=True) if n == size <= MANY][:1]
    places = numpy.unique(numpy.linspace(0, len(few) - 1, SAMPLES).round().astype(int))
    chosen = [few[place] for place in places] if few else []
    found = []
    for number, sample in enumerate(chosen):
        function = _function(op, sample, f"{name}#{number}")
        found += [function] if function else []
    return found


def _parts(sample):
    return tree_flatten((sample.input, sample.args, sample.kwargs))


def _is_moved(x):
    return isinstance(x, torch.Tensor) and x.requires_grad and x.dtype == torch.float64


def _function(op, sample, name):
    leaves, structure = _parts(sample)
    moved = [i for i, x in enumerate(leaves) if _is_moved(x)]
    if any(x.layout != torch.strided for x in leaves if isinstance(x, torch.Tensor)):
        return None

    def run(tensors):
        replaced = [x.clone() if isinstance(x, torch.Tensor) else x for x in leaves]
        if tensors[0].is_complex():
            replaced = [
                x.to(tensors[0].dtype)
                if isinstance(x, torch.Tensor) and x.is_floating_point()
                else x
                for x in replaced
            ]
        for i, tensor in zip(moved, tensors, strict=True):
            replaced[i] = tensor * 1  # operations may change their inputs in place
        first, args, kwargs = tree_unflatten(replaced, structure)
        torch.manual_seed(0)  # an operation that draws random numbers draws the same ones
        output = op.gradcheck_wrapper(op.get_op(), first, *args, **kwargs)
        output = sample.output_process_fn_grad(output)
        return [x for x in tree_flatten(output)[0] if isinstance(x, torch.Tensor)]

    with torch.enable_grad():
        outputs = run([leaves[i] for i in moved])
    kept = [i for i, x in enumerate(outputs) if x.requires_grad and x.is_floating_point()]
    if not kept or any(outputs[i].layout != torch.strided for i in kept):
        return None

    def joined(outputs):
        outputs = [outputs[i] for i in kept]
        return outputs[0] if len(outputs) == 1 else torch.cat([x.reshape(-1) for x in outputs])

    def forward(*arrays):
        with torch.no_grad():
            return joined(run([torch.tensor(x) for x in arrays])).resolve_conj().numpy().copy()

    def gradients(arrays, d_output):
        with torch.enable_grad():
            tensors = [torch.tensor(x, requires_grad=True) for x in arrays]
            output = joined(run(tensors))
            found = torch.autograd.grad(output, tensors, torch.tensor(d_output), allow_unused=True)
        zeros = [torch.zeros_like(t) for t in tensors]
        found = [z if g is None else g for g, z in zip(found, zeros, strict=True)]
        return [g.to_dense().detach().resolve_conj().numpy().copy() for g in found]

    inputs = [leaves[i].detach().numpy().copy() for i in moved]
    return ForeignFunction(name, forward, gradients, inputs)
