"""What the fields of a record mean: the docstrings below them.

pydantic can read them too, as it makes a class (`use_attribute_docstrings`): every command would then read the source of all
records as it starts, which takes as long as making them.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise


@cache
def descriptions(record: type) -> Mapping[str, str]:
    """The docstrings below the fields and class variables of a class and of its bases, by name; those without are left out."""
    found: dict[str, str] = {}
    for one in reversed(record.__mro__):
        found |= _of_module(one.__module__).get(one.__qualname__, {})
    return found


@cache
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    """Docstring by field by class of a module; empty where its source is not to be had."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except (OSError, TypeError):
        return {}
    return {one: dict(_fields(body)) for one, body in _classes(tree, "")}


def _classes(within: ast.AST, place: str) -> Iterator[tuple[str, list[ast.stmt]]]:
    for node in ast.iter_child_nodes(within):
        if isinstance(node, ast.ClassDef):
            yield place + node.name, node.body
            yield from _classes(node, f"{place}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield from _classes(node, f"{place}{node.name}.<locals>.")
        elif isinstance(node, ast.If | ast.Try):
            yield from _classes(node, place)


def _fields(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(below.value.value)
