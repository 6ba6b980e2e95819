"""Mutants: copies of a solution with one small change each, as a typing error or a misunderstanding makes them.

No author has seen them, so their feedback shows how good the hints are for programs other than those in `wrong/`.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Changes = Iterator[ast.expr | None]
"""expressions to put instead of another; None removes the statement that the node is"""

ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
COMMUTATIVE = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
METHODS = {
    "mean": "sum",
    "sum": "mean",
    "max": "min",
    "min": "max",
    "amax": "amin",
    "amin": "amax",
    "sqrt": "square",
    "rsqrt": "sqrt",
    "softmax": "log_softmax",
    "log_softmax": "softmax",
    "sigmoid": "tanh",
    "logsigmoid": "sigmoid",
    "triu": "tril",
    "tril": "triu",
    "argmax": "argmin",
    "minimum": "maximum",
    "maximum": "minimum",
    "zeros_like": "ones_like",
    "zeros": "ones",
    "ones": "zeros",
    "cos": "sin",
    "sin": "cos",
    "clamp_min": "clamp_max",
    "lower": "upper",
}
KEPT_CALLS = {"append", "backward", "step", "zero_grad", "item", "tolist", "size", "dim", "numel", "split", "join"}
"""methods whose result has another type than the object, so that a program without the call would make no sense"""


@dataclass(frozen=True)
class Mutant:
    """A changed answer cell."""

    cell: str
    """the cell's grade_id"""
    line: int
    change: str
    """what became of what, as code"""
    source: str


def make_mutants(cell: str, source: str) -> list[Mutant]:
    """All mutants of one answer cell, in the order of its code."""
    tree = ast.parse(source)
    annotations, found = _find_annotations(tree), []
    for number, node in enumerate(ast.walk(tree)):
        for replacement in () if node in annotations else _list_changes(node):
            changed = _Replace(number, replacement).apply(tree)
            if (text := ast.unparse(changed)) != ast.unparse(tree):
                now = "left out" if replacement is None else f"becomes `{ast.unparse(replacement)}`"
                change = f"`{ast.unparse(node)}` {now}"
                found.append(Mutant(cell, getattr(node, "lineno", 0), change, text))
    return sorted(found, key=lambda mutant: mutant.line)


def sample(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """`count` of them, the same for the same seed, in their order."""
    chosen = random.Random(seed).sample(range(len(mutants)), min(count, len(mutants)))
    return [mutants[index] for index in sorted(chosen)]


class _Replace:
    """Replaces the node of one number, counted as `ast.walk` does, in a copy of a tree."""

    def __init__(self, number: int, replacement: ast.expr | None) -> None:
        self.number = number
        self.replacement = replacement

    def apply(self, tree: ast.Module) -> ast.Module:
        changed = copy.deepcopy(tree)
        wanted = next(node for number, node in enumerate(ast.walk(changed)) if number == self.number)
        new: ast.AST = ast.Pass() if self.replacement is None else self.replacement
        for parent in ast.walk(changed):
            for name, value in ast.iter_fields(parent):
                if value is wanted:
                    setattr(parent, name, new)
                elif isinstance(value, list) and any(item is wanted for item in value):
                    value[next(index for index, item in enumerate(value) if item is wanted)] = new
        return ast.fix_missing_locations(changed)


def _find_annotations(tree: ast.Module) -> set[ast.AST]:
    """The nodes of type annotations, which change nothing at run time."""
    roots = [getattr(node, name, None) for node in ast.walk(tree) for name in ("annotation", "returns")]
    return {node for root in roots if isinstance(root, ast.AST) for node in ast.walk(root)}


def _list_changes(node: ast.AST) -> Changes:
    for kind, changes in CHANGES:
        if isinstance(node, kind):
            yield from changes(node)


def _change_arithmetic(node: ast.BinOp) -> Changes:
    if type(node.op) in ARITHMETIC:
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
        yield node.left
    if not isinstance(node.op, COMMUTATIVE):
        yield ast.BinOp(node.right, node.op, node.left)


def _change_comparison(node: ast.Compare) -> Changes:
    if type(node.ops[0]) in COMPARISONS:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])](), *node.ops[1:]], node.comparators)


def _change_constant(node: ast.Constant) -> Changes:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)
        if node.value:
            yield ast.Constant(0)


def _change_sign(node: ast.UnaryOp) -> Changes:
    if isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
        yield node.operand


def _change_call(node: ast.Call) -> Changes:
    for index in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, node.keywords[:index] + node.keywords[index + 1 :])
    if len(node.args) == 2:
        yield ast.Call(node.func, node.args[::-1], node.keywords)
    if isinstance(node.func, ast.Attribute):
        yield from _change_method(node, node.func)
    elif isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
        yield node.args[0]


def _change_method(node: ast.Call, function: ast.Attribute) -> Changes:
    module = isinstance(function.value, ast.Name) and function.value.id in ("torch", "F", "nn", "math")
    if function.attr in METHODS:
        yield ast.Call(ast.Attribute(function.value, METHODS[function.attr], ast.Load()), node.args, node.keywords)
    if function.attr in KEPT_CALLS:
        return
    if not module:
        yield function.value
        detached = ast.Call(ast.Attribute(function.value, "detach", ast.Load()), [], [])
        yield ast.Call(ast.Attribute(detached, function.attr, ast.Load()), node.args, node.keywords)
    elif node.args:
        yield node.args[0]


def _change_subscript(node: ast.Subscript) -> Changes:
    if isinstance(node.ctx, ast.Load):
        yield node.value


def _remove_statement(node: ast.stmt) -> Changes:
    if isinstance(node, (ast.AugAssign, ast.Expr)) and not _is_docstring(node):
        yield None


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _remove_return(node: ast.Return) -> Changes:
    yield None


CHANGES: list[tuple[type[ast.AST], Callable[..., Changes]]] = [
    (ast.BinOp, _change_arithmetic),
    (ast.Compare, _change_comparison),
    (ast.Constant, _change_constant),
    (ast.UnaryOp, _change_sign),
    (ast.Call, _change_call),
    (ast.Subscript, _change_subscript),
    (ast.stmt, _remove_statement),
    (ast.Return, _remove_return),
]
