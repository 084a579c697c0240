"""Mutants: the project's modules with one bug at a time planted in a backward pass."""

import ast
import copy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MODEL_FILE = "kvnet/models/key_value_memory_network.py"
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
    tree : ast.Module
        The whole module with the bug.
    """

    path: str
    line: int
    kind: str
    before: str
    after: str
    tree: ast.Module

    def execute(self) -> SimpleNamespace:
        """Execute the module and return its namespace."""
        # Under the module's own name, so that its compiled functions are cached as the module's.
        parts = Path(self.path).with_suffix("").parts
        name = ".".join(parts if parts[0] == "kvnet" else ("kvnet", *parts))
        namespace = {"__name__": name, "__file__": self.path}
        exec(compile(self.tree, self.path, "exec"), namespace)
        return SimpleNamespace(**namespace)


def mutants() -> Iterator[Mutant]:
    """Yield every mutant of every backward pass, file by file."""
    paths = [*sorted((ROOT / "kvnet/operations").glob("*.py")), ROOT / MODEL_FILE]
    for path in [*paths, *sorted((ROOT / "kernels").glob("*.py"))]:
        yield from mutants_of(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of one module."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    for node_index in sorted(backward_nodes(tree), key=lambda i: (nodes[i].lineno, i)):
        for kind, change in changes(nodes[node_index]):
            mutated = copy.deepcopy(tree)
            node = list(ast.walk(mutated))[node_index]
            before = ast.unparse(node)
            new = change(node)
            Replace(node, new).visit(mutated)
            ast.fix_missing_locations(mutated)
            yield Mutant(path, nodes[node_index].lineno, kind, before, ast.unparse(new), mutated)


def backward_nodes(tree: ast.Module) -> set[int]:
    """Return the indices, in the order of `ast.walk`, of the nodes of backward passes.

    A backward pass is a function whose name starts with ``backward``. The scatter that several of
    them share counts too, as do the assignments of gradients in a model's methods.
    """
    inside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and (
            node.name.startswith("backward") or node.name == "scatter_rows"
        ):
            inside |= {id(part) for statement in node.body for part in ast.walk(statement)}
        if isinstance(node, ast.FunctionDef) and node.name in (
            "loss_and_gradient",
            "entropy_and_gradients",
        ):
            for part in ast.walk(node):  # `grads = ...`, `d_penalty = ...`, dict comprehensions
                if isinstance(part, ast.DictComp) or (
                    isinstance(part, ast.Assign)
                    and ast.unparse(part.targets[0]) in ("grads", "d_penalty")
                ):
                    inside |= {id(inner) for inner in ast.walk(part)}
    return {
        node_index
        for node_index, node in enumerate(ast.walk(tree))
        if id(node) in inside and isinstance(node, ast.expr | ast.stmt)
    }


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
    """Negate or scale an assigned or returned value, or replace ``+=`` by ``=`` or nothing."""
    if isinstance(node, ast.AugAssign):
        yield "= for +=", lambda n: ast.Assign([n.target], n.value)
        yield "dropped term", lambda n: ast.Pass()
    single = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name | ast.Subscript)
    if single or isinstance(node, ast.AugAssign):
        for kind, wrong in WRONG_VALUES.items():
            yield kind, lambda n, wrong=wrong: with_value(n, wrong(n.value))
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        for i in range(len(node.value.elts)):
            for kind, wrong in WRONG_VALUES.items():
                yield kind, lambda n, i=i, wrong=wrong: with_element(n, i, wrong)
    elif isinstance(node, ast.Return):
        for kind, wrong in WRONG_VALUES.items():
            yield kind, lambda n, wrong=wrong: with_value(n, wrong_values(n.value, wrong))


WRONG_VALUES = {
    "sign": lambda value: ast.UnaryOp(ast.USub(), value),
    "factor 1.001": lambda value: ast.BinOp(value, ast.Mult(), ast.Constant(1.001)),
}


def wrong_values(value, wrong):
    """Make a returned value wrong: every value of a dict comprehension, the first of a dict."""
    if isinstance(value, ast.DictComp):
        value.value = wrong(value.value)
        return value
    if isinstance(value, ast.Dict):
        value.values[0] = wrong(value.values[0])
        return value
    return wrong(value)


def with_value(node, value):
    """Set the value of a statement and return the statement."""
    node.value = value
    return node


def with_element(node, i, wrong):
    """Make one value of a returned tuple wrong and return the statement."""
    element = node.value.elts[i]
    if isinstance(element, ast.DictComp):
        wrong_values(element, wrong)
    elif isinstance(element, ast.Starred):  # several values: every one of them
        each = ast.parse("[value for value in ()]", mode="eval").body
        each.elt, each.generators[0].iter = wrong(each.elt), element.value
        element.value = each
    else:
        node.value.elts[i] = wrong(element)
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
        for i in range(len(node.value.elts) - 1):
            yield "swapped operands", lambda n, i=i: with_value(n, swapped(n.value, i))
    if isinstance(node, ast.List) and isinstance(node.ctx, ast.Load):
        for i in range(len(node.elts) - 1):
            yield "swapped operands", lambda n, i=i: swapped(n, i)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        for i in range(len(node.slice.elts) - 1):
            if ast.unparse(node.slice.elts[i]) != ast.unparse(node.slice.elts[i + 1]):
                yield "wrong broadcast axis", lambda n, i=i: with_slice(n, swapped(n.slice, i))
    if isinstance(node, ast.Call):
        for i, keyword in enumerate(node.keywords):
            if keyword.arg == "axis":
                yield "wrong broadcast axis", lambda n, i=i: with_other_axis(n, i)


def swapped(node, i):
    """Swap an element with the next and return the node."""
    node.elts[i], node.elts[i + 1] = node.elts[i + 1], node.elts[i]
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
