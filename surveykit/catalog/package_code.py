"""Which code of this package stands behind a result: modules found by following imports, each read as a syntax tree.

Files are parsed, never imported, so that it can be asked without torch. Comments, docstrings and formatting are no part
of a syntax tree, and neither is what only type checkers import: a change of those changes no digest.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import resolve_name
from pathlib import Path

from surveykit.errors import SurveyError, nearest


@dataclass(frozen=True)
class _Module:
    name: str
    """In full, with dots."""
    path: Path
    tree: ast.Module
    """Without what only type checkers read."""

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(_canonical(self.tree).encode()).hexdigest()

    @cached_property
    def names(self) -> set[str]:
        """Everything that is bound somewhere in it."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.alias):
                found.add(node.asname or node.name.partition(".")[0])
        return found

    @cached_property
    def imports(self) -> list[tuple[str, tuple[str, ...]]]:
        """Modules in full, each with the names that are taken from it; none where it is imported as a whole."""
        found: list[tuple[str, tuple[str, ...]]] = []
        package = self.name if self.is_package else self.name.rpartition(".")[0]
        for node in _statements(self.tree):
            if isinstance(node, ast.Import):
                found += [(alias.name, ()) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                module = resolve_name("." * node.level + (node.module or ""), package)
                found.append((module, tuple(alias.name for alias in node.names)))
        return found


class PackageCode:
    """The modules of one package. Each file is read once."""

    def __init__(self, package: Path) -> None:
        """
        Args:
            package: its folder, named like the package.
        """
        self._package = package
        self._read: dict[str, _Module] = {}
        self._imported: dict[str, list[str]] = {}
        self._reached: dict[str, frozenset[str]] = {}

    def digest(self, entries: Iterable[str]) -> str:
        """A checksum over all modules that are reached from some. Raises as `reached`."""
        digest = hashlib.sha256()
        for name in self.reached(entries):
            digest.update(f"{name} {self._module(name, 'asked for').digest}\n".encode())
        return digest.hexdigest()

    def reached(self, entries: Iterable[str]) -> list[str]:
        """The modules of this package that run when some are imported, sorted; names in full, with dots.

        The package's own `__init__` is left out: it holds the version and the names for users.

        Raises:
            SurveyError: a module is named that does not exist.
        """
        return sorted(frozenset[str]().union(*map(self._reached_from, entries)))

    def _reached_from(self, entry: str) -> frozenset[str]:
        if entry not in self._reached:
            waiting = [(entry, "what is measured")]
            found: set[str] = set()
            while waiting:
                name, by = waiting.pop()
                if name in found or name == self._package.name:
                    continue
                module = self._module(name, by)
                found.add(name)
                waiting += ((other, name) for other in self._imported_by(module))
            self._reached[entry] = frozenset(found)
        return self._reached[entry]

    def _imported_by(self, module: _Module) -> list[str]:
        """The modules of this package that run when one is imported, those that they import left out."""
        if module.name not in self._imported:
            found = [module.name.rpartition(".")[0]]
            for imported, taken in module.imports:
                if imported.partition(".")[0] == self._package.name:
                    found += [imported, *self._modules_among(imported, taken, module.name)]
            self._imported[module.name] = found
        return self._imported[module.name]

    def _modules_among(self, package: str, taken: Iterable[str], by: str) -> Iterator[str]:
        """Those of the names taken from a package that are modules; the others must be bound in its `__init__`."""
        for name in taken:
            if self._file(f"{package}.{name}") is not None:
                yield f"{package}.{name}"
            elif (module := self._module(package, by)).is_package and name not in module.names:
                raise SurveyError(f"{by} takes '{name}' from {package}, which has no such module and no such name")

    def _module(self, name: str, by: str) -> _Module:
        if name not in self._read:
            path = self._file(name)
            if path is None:
                there = [f"{name.rpartition('.')[0]}.{p.stem}" for p in self._place(name).parent.glob("*.py")]
                raise SurveyError(f"{by} names the module {name}, which does not exist{nearest(name, there)}")
            tree = _without_type_checking(ast.parse(path.read_bytes(), str(path)))
            self._read[name] = _Module(name, path, tree)
        return self._read[name]

    def _place(self, name: str) -> Path:
        return self._package.joinpath(*name.split(".")[1:])

    def _file(self, name: str) -> Path | None:
        place = self._place(name)
        return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)


def _without_type_checking(tree: ast.Module) -> ast.Module:
    for node in _statements(tree):
        for body in _bodies(node):
            body[:] = _that_run(body)
    return tree


def _that_run(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _that_run(node.orelse)
        else:
            yield node


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The tree, and all statements below it, with what holds some of them; no expressions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        yield (node := waiting.pop())
        for body in _bodies(node):
            waiting += body


def _bodies(node: ast.AST) -> Iterator[list[ast.AST]]:
    """The lists of statements, handlers and cases right below a node."""
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        if isinstance(body := getattr(node, name, None), list):
            yield body


def _canonical(node: object) -> str:
    """A syntax tree as text that is the same in every version of Python: what is empty is left out, which versions add or
    drop; so are strings that stand alone, which nothing reads."""
    if isinstance(node, ast.Constant):
        return repr(node.value)
    if isinstance(node, ast.AST):
        parts = [(name, getattr(node, name, None)) for name in node._fields if name != "type_comment"]
        inner = ",".join([f"{name}={_canonical(value)}" for name, value in parts if value is not None and value != []])
        return f"{type(node).__name__}({inner})"
    if isinstance(node, list):
        return f"[{','.join([_canonical(each) for each in node if not _is_prose(each)])}]"
    return repr(node)


def _is_prose(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
