"""Closed-form counts: the second, independent answer to every count of the engine.

A formula is arithmetic over named symbols. Symbols of a model:

    d   d_model, width of the residual stream        V   rows of the token embedding
    I   heads × d_kv, width of all queries           H   heads of queries
    Kv  width of all keys, and of all values; I, unless several heads of queries share one of keys and values
    f   d_ff, width of the feed-forward              U   relative-position buckets, 0 without
    Le, Ld   encoder and decoder layers, 0 without   G   input matrices per feed-forward (2 if gated)
    A   attention modules                            T   token matrices (1 if tied, 2 if not)
    Ka  kinds of attention                           F   feed-forward modules, Le + Ld
    L   norms, those of embeddings included          N   all parameters of the model
    B   entries of biases of the blocks' linear layers: queries, keys, values, outputs, feed-forwards
    Bn  entries of biases of norms

On T5, with an encoder and a decoder, A = Le + 2 Ld, Ka = 3, L = 2 Le + 3 Ld + 2 and B = Bn = 0. Without a decoder
(BERT) A = Le, Ka = 1, L = 2 Le + 1; without an encoder (GPT-2) A = Ld, Ka = 1, L = 2 Ld + 1. A norm has L·d entries of
scales in all, and Bn = L·d entries of biases where it has them. Poolers are in N and in none of the others.

Symbols describe models whose blocks are all alike and whose layout is known (`surveykit.catalog.dimensions`); on others
no formula has a value. Nor has one that takes I for the width of keys and values, on a model where heads share them.

A configuration adds its own, in order, under `let`. Evaluated on plain integers only: names, `+ - * // %
**`, parentheses, `min`, `max`, `near_square`, `nearest_divisor` and `root` (the square root, rounded down).
"""

from __future__ import annotations

import ast
import copy
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from surveykit.arithmetic import near_square_factor, nearest_divisor, whole_root
from surveykit.errors import FormulaError, nearest

MODEL_SYMBOLS = ("d", "I", "Kv", "f", "H", "Le", "Ld", "V", "U", "G", "T", "A", "Ka", "F", "L", "B", "Bn", "N")

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[..., int]] = {
    "min": min,
    "max": max,
    "near_square": near_square_factor,
    "nearest_divisor": nearest_divisor,
    "root": whole_root,
}
# Enough for every count, and small enough that no formula can hang a load or outgrow a database.
_LARGEST_EXPONENT = 8
_LONGEST = 400
_MOST = 2**63 - 1
_Evaluator = Callable[[Mapping[str, int]], int]


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """Parse one formula, refusing everything that is not whole-number arithmetic. The tree is shared: do not edit it.

    Raises:
        FormulaError: the text is no formula; the message quotes the part that is not.
    """
    if len(text) > _LONGEST:
        raise FormulaError(f"'{text[:40]}…' has {len(text):,} characters; a formula has at most {_LONGEST}")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormulaError(f"'{text}' is not a formula: {error}") from None
    for node in ast.walk(tree):
        _check(node, text)
    return tree


def _check(node: ast.AST, text: str) -> None:
    match node:
        case ast.Constant(value=value) if type(value) is int:
            return
        case ast.Name() | ast.Load() | ast.BinOp() | ast.operator():
            if isinstance(node, ast.operator) and type(node) not in _OPERATORS:
                raise FormulaError(f"'{text}' uses an operator that formulas do not have; use + - * // % **")
            return
        case ast.UnaryOp(op=ast.USub()) | ast.USub():
            return
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            if name not in _FUNCTIONS:
                raise FormulaError(f"'{text}' calls '{name}'; formulas have {', '.join(_FUNCTIONS)}")
            return
    raise FormulaError(f"'{text}' contains '{ast.unparse(node)}', which is not whole-number arithmetic")


@lru_cache(maxsize=4096)  # the same formulas are asked on every model
def names_in(text: str) -> frozenset[str]:
    """The symbols that a formula mentions (functions excluded)."""
    tree = parse(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called)


def evaluate(text: str, symbols: Mapping[str, int]) -> int:
    """Evaluate a formula exactly.

    Raises:
        FormulaError: a syntax error, an unknown symbol, a division by zero, or a number beyond 64 bits on the way.
    """
    return _evaluator(text)(symbols)


@lru_cache(maxsize=4096)
def _evaluator(text: str) -> _Evaluator:
    """A formula as a function of its symbols: the tree is walked once, for all models on which it has a value."""
    return _bounded(parse(text), text)


def _bounded(node: ast.expr, text: str) -> _Evaluator:
    unbounded = _unbounded(node, text)

    def value(symbols: Mapping[str, int]) -> int:
        found = unbounded(symbols)
        if not -_MOST <= found <= _MOST:
            raise FormulaError(f"'{text}' grows beyond 64 bits")
        return found

    return value


def _unbounded(node: ast.expr, text: str) -> _Evaluator:
    match node:
        case ast.Constant(value=int(constant)):
            return lambda symbols: constant
        case ast.Name(id=name):
            return partial(_symbol, name, text)
        case ast.UnaryOp(operand=operand):
            negated = _bounded(operand, text)
            return lambda symbols: -negated(symbols)
        case ast.BinOp(left=left, op=op, right=right):
            return partial(_operation, type(op), _bounded(left, text), _bounded(right, text), text)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return partial(_call, name, [_bounded(argument, text) for argument in arguments], text)
    raise FormulaError(f"'{text}' contains '{ast.unparse(node)}', which is not whole-number arithmetic")


def _symbol(name: str, text: str, symbols: Mapping[str, int]) -> int:
    if name not in symbols:
        raise FormulaError(f"'{text}' uses the unknown symbol '{name}'{nearest(name, symbols)}")
    return symbols[name]


def _operation(
    op: type[ast.operator], left: _Evaluator, right: _Evaluator, text: str, symbols: Mapping[str, int]
) -> int:
    a, b = left(symbols), right(symbols)
    if op is ast.Pow and not 0 <= b <= _LARGEST_EXPONENT:
        raise FormulaError(f"'{text}' raises to the power {b}; exponents go from 0 to {_LARGEST_EXPONENT}")
    if op in (ast.FloorDiv, ast.Mod) and b == 0:
        raise FormulaError(f"'{text}' divides by zero")
    return _OPERATORS[op](a, b)


def _call(name: str, arguments: list[_Evaluator], text: str, symbols: Mapping[str, int]) -> int:
    try:
        return _FUNCTIONS[name](*(argument(symbols) for argument in arguments))
    except (TypeError, ValueError) as error:
        raise FormulaError(f"'{text}': {name}: {error}") from None


def bind(let: Mapping[str, str], symbols: Mapping[str, int]) -> dict[str, int]:
    """Evaluate the definitions of a configuration, each of which may use those before it."""
    bound = dict(symbols)
    for name, text in let.items():
        if name in symbols:
            raise FormulaError(f"'{name}' is a symbol of the model and cannot be defined again")
        bound[name] = evaluate(text, bound)
    return bound


def values(let: Mapping[str, str], forms: Mapping[str, str], symbols: Mapping[str, int]) -> dict[str, int]:
    """Each form by its name, over the symbols of a model and those of a configuration. Raises as `evaluate` and `bind`."""
    return dict(zip(forms, _values(tuple(let.items()), tuple(forms.values()), tuple(symbols.items())), strict=True))


@lru_cache(maxsize=8192)  # loading, judging and building a catalog all ask for the same forms on the same models
def _values(
    let: tuple[tuple[str, str], ...], forms: tuple[str, ...], symbols: tuple[tuple[str, int], ...]
) -> tuple[int, ...]:
    bound = bind(dict(let), dict(symbols))
    return tuple(evaluate(text, bound) for text in forms)


def fill_in(text: str, symbols: Mapping[str, int]) -> str:
    """Write a formula with its numbers in place of its symbols, as pages show it.

    >>> fill_in("2*A*r*(d + I)", {"A": 72, "r": 8, "d": 1024, "I": 1024})
    '2 × 72 × 8 × (1,024 + 1,024)'
    """

    class Fill(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            node.args = [self.visit(argument) for argument in node.args]
            return node

        def visit_Name(self, node: ast.Name) -> ast.AST:
            return ast.Name(id=f"{symbols[node.id]:,}" if node.id in symbols else node.id)

        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            return ast.Name(id=f"{int(str(node.value)):,}")

    filled = ast.unparse(Fill().visit(copy.deepcopy(parse(text))))
    return filled.replace(" ** ", "^").replace(" * ", " × ").replace(" // ", " ÷ ").replace(" - ", " − ")
