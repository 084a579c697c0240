"""Mutants: the project's modules with one bug at a time planted in a backward pass."""

import ast
import copy
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("kvnet/operations", "kvnet/models", "kernels", "kernels/parts")
WHOLE = ("bow_steps", "noisy_adam", "sgd", "adagrad", "update_blocks")  # updates: no operation
KINDS = (
    "sign",
    "dropped term",
    "swapped operands",
    "missing transpose",
    "= for +=",
    "off-by-one slot",
    "factor 1.001",
    "wrong broadcast axis",
)


class Mutant(NamedTuple):
    """A module with one bug in a backward pass.

    Attributes
    ----------
    path : str
        Path of the module, relative to the repository.
    line : int
    kind : str
        One of `KINDS`.
    before, after : str
        Source of the node without and with the bug.
    source : str
        Source of the module without the bug.
    node_index : int
        Index of the node, in the order of `ast.walk`.
    new : ast.AST
        The node with the bug.
    compiled : bool
        Whether the bug is in a function that Numba compiles.
    """

    path: str
    line: int
    kind: str
    before: str
    after: str
    source: str
    node_index: int
    new: ast.AST
    compiled: bool

    @property
    def module_name(self) -> str:
        """The name that the module is imported by."""
        parts = Path(self.path).with_suffix("").parts
        return ".".join(parts if parts[0] == "kvnet" else ("kvnet", *parts))

    def execute(self) -> ModuleType:
        """Execute the module under its own name, which Numba's cache of compiled functions uses."""
        tree = ast.parse(self.source)
        node = list(ast.walk(tree))[self.node_index]
        tree = ast.fix_missing_locations(Replace(node, self.new).visit(tree))
        module = ModuleType(self.module_name)
        module.__file__ = str(ROOT / self.path)
        exec(compile(tree, module.__file__, "exec"), vars(module))
        return module


def mutants() -> Iterator[Mutant]:
    """Yield every mutant of every backward pass, file by file."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.py")):
            if path.stem in WHOLE:
                continue
            yield from mutants_of(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of one module."""
    tree = ast.parse(source)
    nodes, compiled = list(ast.walk(tree)), compiled_nodes(tree)
    for node_index in sorted(backward_nodes(tree), key=lambda i: (nodes[i].lineno, i)):
        node = nodes[node_index]
        for kind, change in changes(node):
            new = ast.copy_location(change(copy.deepcopy(node)), node)
            ast.fix_missing_locations(new)
            bug = node.lineno, kind, ast.unparse(node), ast.unparse(new)
            yield Mutant(path, *bug, source, node_index, new, id(node) in compiled)


def compiled_nodes(tree: ast.Module) -> set[int]:
    """Return the ids of all nodes of functions that Numba compiles."""
    return {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and is_compiled(node)
        for part in ast.walk(node)
    }


def is_compiled(function: ast.FunctionDef) -> bool:
    """Return whether Numba compiles a function."""
    return any("njit" in ast.unparse(decorator) for decorator in function.decorator_list)


def backward_nodes(tree: ast.Module) -> set[int]:
    """Return the indices, in the order of `ast.walk`, of the nodes of backward passes.

    They are the bodies of functions whose name starts with ``backward``, of the scatter that these
    share, of compiled functions that take a gradient, and of lambdas that take one, and the
    statements of `loss_and_gradient` from its first call of a backward function on.
    """
    inside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            inside |= {
                id(part) for statement in backward_part(node) for part in ast.walk(statement)
            }
        elif isinstance(node, ast.Lambda) and is_gradient(node.args):
            inside |= {id(part) for part in ast.walk(node)}
    return {
        node_index
        for node_index, node in enumerate(ast.walk(tree))
        if id(node) in inside and isinstance(node, ast.expr | ast.stmt)
    }


def backward_part(function: ast.FunctionDef) -> list[ast.stmt]:
    """Return the statements of a function that compute gradients."""
    if function.name.startswith("backward") or function.name == "scatter_rows":
        return function.body
    if is_compiled(function) and any(map(is_gradient_name, function.args.args)):
        return function.body
    if function.name == "loss_and_gradient":
        for i, statement in enumerate(function.body):
            if any(is_backward_call(node) for node in ast.walk(statement)):
                return function.body[i:]
    return []


def is_backward_call(node: ast.AST) -> bool:
    """Return whether a node calls a backward function, such as ``backward_hops[h](du)``."""
    if not isinstance(node, ast.Call):
        return False
    function = node.func.value if isinstance(node.func, ast.Subscript) else node.func
    return isinstance(function, ast.Name) and function.id.startswith("backward")


def is_gradient(arguments: ast.arguments) -> bool:
    """Return whether the first argument of a function is a gradient, such as ``dy, d_readings``."""
    return bool(arguments.args) and is_gradient_name(arguments.args[0])


def is_gradient_name(argument: ast.arg) -> bool:
    """Return whether an argument is a gradient by its name, such as ``dy`` or ``d_readings``."""
    return argument.arg == "gradients" or re.match("d(_|.{1,2}$)", argument.arg) is not None


class Replace(ast.NodeTransformer):
    """Replace one node by another."""

    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the new node for the old one, and visit the children of any other."""
        return self.new if node is self.old else self.generic_visit(node)


def changes(node: ast.AST) -> Iterator[tuple]:
    """Yield (kind, function from the node to its mutant) for every bug that applies to a node."""
    yield from value_changes(node)
    yield from operand_changes(node)
    yield from order_changes(node)
    yield from index_changes(node)


def value_changes(node):
    """Negate or scale a gradient that is assigned or returned, or replace ``+=``."""
    if isinstance(node, ast.AugAssign):
        yield "= for +=", lambda n: ast.Assign([n.target], n.value)
        yield "dropped term", lambda n: ast.Pass()
    single = isinstance(node, ast.Assign) and not any(
        isinstance(part, ast.Tuple) for part in (node.targets[0], node.value)
    )
    if single or isinstance(node, ast.AugAssign | ast.Return | ast.Lambda):
        for i in range(len(gradients_in(value_of(node)))):
            for kind, wrong in WRONG_VALUES.items():
                yield kind, lambda n, i=i, wrong=wrong: with_wrong_gradient(n, i, wrong)


WRONG_VALUES = {
    "sign": lambda value: ast.UnaryOp(ast.USub(), value),
    "factor 1.001": lambda value: ast.BinOp(value, ast.Mult(), ast.Constant(1.001)),
}


def value_of(node) -> ast.expr | None:
    """Return the value of a statement or the body of a lambda."""
    return node.body if isinstance(node, ast.Lambda) else node.value


def gradients_in(value: ast.expr | None) -> list[ast.expr]:
    """Return the nodes of a value that are gradients, or that all gradients in it are linear in.

    A value that is no container and no call of a backward function is one gradient. Zeros and
    uninitialised arrays are left out: their sign and scale have no effect.
    """
    if value is None or is_loss(value) or is_zero(value):
        return []
    if isinstance(value, ast.Starred | ast.DictComp):
        parts = [value.value]
    elif isinstance(value, ast.Tuple):
        parts = value.elts
    elif isinstance(value, ast.Dict):
        parts = value.values
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):  # of two dicts
        parts = [part for part in (value.left, value.right) if not isinstance(part, ast.Name)]
    elif is_backward_call(value) or is_record(value):
        parts = value.args
    elif isinstance(value, ast.Call) and ast.unparse(value.func).startswith("self."):
        parts = []
    else:
        return [value]
    return [gradient for part in parts for gradient in gradients_in(part)]


def is_record(node: ast.AST) -> bool:
    """Return whether a node makes a named tuple, such as ``GruWeights(...)``."""
    return isinstance(node, ast.Call) and ast.unparse(node.func)[0].isupper()


def is_zero(node: ast.AST) -> bool:
    """Return whether a node is the number zero, an array of zeros or an uninitialised array."""
    if isinstance(node, ast.Constant):
        return node.value == 0
    name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    return name.removesuffix("_like") in ("zeros", "empty")


def is_loss(node: ast.AST) -> bool:
    """Return whether a node is the loss, which is returned with the gradients."""
    return isinstance(node, ast.Name) and node.id == "loss"


def with_wrong_gradient(node, i, wrong):
    """Make the i-th gradient of a statement or of a lambda wrong and return the node."""
    gradient = gradients_in(value_of(node))[i]
    return Replace(gradient, wrong(gradient)).visit(node)


def with_value(node, value):
    """Set the value of a statement and return the statement."""
    node.value = value
    return node


def operand_changes(node):
    """Drop an operand, swap two, swap plus and minus, or omit a transpose."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        yield "dropped term", lambda n: n.left
        if not isinstance(node.op, ast.Sub):
            yield "dropped term", lambda n: n.right
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield "sign", lambda n: ast.BinOp(n.left, ast.Sub(), n.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        yield "sign", lambda n: ast.BinOp(n.left, ast.Add(), n.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.MatMult | ast.Div):
        yield "swapped operands", lambda n: ast.BinOp(n.right, n.op, n.left)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "missing transpose", lambda n: n.value


def order_changes(node):
    """Swap adjacent returned gradients, list elements or subscripts, or change an axis."""
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        for i in unequal_neighbours(node.value.elts):
            if not is_loss(node.value.elts[i]):
                yield "swapped operands", lambda n, i=i: with_value(n, swapped(n.value, i))
    if is_record(node):
        for i in unequal_neighbours(node.args):
            yield "swapped operands", lambda n, i=i: with_swapped_arguments(n, i)
    if isinstance(node, ast.List) and isinstance(node.ctx, ast.Load):
        for i in unequal_neighbours(node.elts):
            yield "swapped operands", lambda n, i=i: swapped(n, i)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        for i in unequal_neighbours(node.slice.elts):
            yield "wrong broadcast axis", lambda n, i=i: with_slice(n, swapped(n.slice, i))
    if isinstance(node, ast.Call):
        for i, keyword in enumerate(node.keywords):
            if keyword.arg == "axis":
                yield "wrong broadcast axis", lambda n, i=i: with_other_axis(n, i)


def unequal_neighbours(nodes) -> list[int]:
    """Return the indices of nodes that differ from the next one."""
    return [i for i, pair in enumerate(pairwise(map(ast.unparse, nodes))) if pair[0] != pair[1]]


def swapped(node, i):
    """Swap an element with the next and return the node."""
    node.elts[i], node.elts[i + 1] = node.elts[i + 1], node.elts[i]
    return node


def with_swapped_arguments(node, i):
    """Swap an argument of a call with the next and return the call."""
    node.args[i], node.args[i + 1] = node.args[i + 1], node.args[i]
    return node


def with_slice(node, new):
    """Set the indices of a subscript and return it."""
    node.slice = new
    return node


def with_other_axis(node, i):
    """Replace the axis of a call: 1 for 0, and 0 for any other."""
    axis = ast.unparse(node.keywords[i].value)
    node.keywords[i].value = ast.Constant(1 if axis == "0" else 0)
    return node


def index_changes(node):
    """Shift a slice, an index, a loop or the nil word's id by one."""
    if isinstance(node, ast.Slice):
        for bound in ("lower", "upper"):
            if getattr(node, bound) is not None:
                for step in (-1, 1):
                    yield "off-by-one slot", lambda n, b=bound, s=step: with_bound(n, b, s)
    if isinstance(node, ast.Subscript) and may_be_integer(node.slice):
        for step in (-1, 1):
            yield "off-by-one slot", lambda n, s=step: with_slice(n, shifted(n.slice, s))
    if isinstance(node, ast.Compare) and isinstance(node.comparators[0], ast.Constant):
        yield (
            "off-by-one slot",
            lambda n: ast.Compare(n.left, n.ops, [shifted(n.comparators[0], 1)]),
        )
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "range":
        yield "off-by-one slot", lambda n: ast.Call(n.func, [shifted(n.args[0], -1)], [])
        yield "off-by-one slot", lambda n: ast.Call(n.func, [ast.Constant(1), *n.args], [])
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".insert"):
        yield (
            "off-by-one slot",
            lambda n: ast.Call(n.func, [shifted(n.args[0], 1), *n.args[1:]], []),
        )


def may_be_integer(node):
    """Return whether an index may be an integer: it is a name or an integer literal."""
    return isinstance(node, ast.Name) or isinstance(getattr(node, "value", None), int)


def with_bound(node, bound, step):
    """Shift one bound of a slice and return the slice."""
    setattr(node, bound, shifted(getattr(node, bound), step))
    return node


def shifted(node, step):
    """Return ``node + step``."""
    return ast.BinOp(node, ast.Add(), ast.Constant(step))
