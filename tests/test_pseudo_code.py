"""Pseudo-code speaks of the tensors of the recipe, by their names and in the formula's letters.

A comment that says `name: (sides), trained` is a declaration. Clauses of a comment end at semicolons; in one that says
"trained" and not "not trained", every name before a colon is trained.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from functools import cache

import pytest
from real_catalog import REAL

from surveykit import formula
from surveykit.catalog.places import t5_places
from surveykit.catalog.records import Configuration, Method
from surveykit.recipes import Shape
from surveykit.recipes.numbering import numbered

BACKBONE = "t5-3b"
"""Its attention is wider than its stream, so that `I` is not mistaken for `d`."""
METHODS = {name: method for name, method in REAL.methods.items() if method.configurations}
"""Without a recipe there is nothing to compare with."""
ROLES = {"query": "W_q", "key": "W_k", "value": "W_v", "attention_output": "W_o"}
"""What the backbone's own tensors are called, where not as their role is."""
WHOLE = {"parameters", "named_parameters"}
"""Pseudo-code that goes through all parameters need not name what it finds."""
NO_TENSOR_OF_THE_RECIPE = {
    "the backbone, not trained or said to be": "W W_q W_k W_v W_o W_in W_out model decoder layers linear_layers "
    "pretrained",
    "what it is given": "name tokens inputs labels data few_examples source_tasks task random_prompt",
    "a base of few bits": "codes shift scale levels scale_codes second_scales block lowest highest groups g",
    "a rule of training": "steps rounds first_steps round_steps restarted optimizer learning_rate errors sizes budget "
    "importance assignment kept_layers tuned_on_a_sample eps u mask smooth doubt score basis eye",
    "a side of a matrix, or a length": "fan_in fan_out length n",
}  # fmt: skip
NO_SHAPE = {
    "diffpruning": {"value": "has that of the tensor at its place", "log_alpha": "has that of the tensor at its place"},
    "intrinsic-said": {"vector": "what is left of the dimension when each tensor has its strength"},
}
"""Trained tensors whose shape no letters of the formula can give."""
SAME_LETTERS = {
    "adalora": {"left": "the formula's is the rank that is left, the tensor holds the left singular vectors"},
    "far": {"rows": "the formula's counts all entries of the tensors"},
}
"""Where a formula and a recipe mean two things by one name, and which."""
_NAME = r"[A-Za-z_]\w*(?:\.\w+|\[[^\]]*\])*"
_DECLARED = re.compile(rf"((?:{_NAME}, )*{_NAME}): (?:\(([^()]*)\))?")


def plain(name: str) -> str:
    """`prefix.down` → down, `factor["key"]` → factor, norm_1 → norm."""
    return re.sub(r"_\d+$", "", re.sub(r"\[[^\]]*\]", "", name).rsplit(".", 1)[-1])


def declared(method: Method) -> Iterator[tuple[str, tuple[str, ...] | None, bool]]:
    """Names that comments declare, with the sides of their shape and whether they are trained."""
    for comment in re.findall(r"#(.*)", method.pseudocode):
        for clause in comment.split(";"):
            trained = bool(re.search(r"\btrained\b", clause)) and "not trained" not in clause
            for names, sides in _DECLARED.findall(clause):
                shape = tuple(side.strip() for side in sides.split(",") if side.strip()) or None
                for name in names.split(", "):
                    yield name, shape, trained


@cache
def brought(method: str, *, default: bool) -> tuple[tuple[str, str, Shape, int, int], ...]:
    """What edits bring to a T5: kind, name, shape, and the fans of the place; of the default or of all configurations."""
    places = tuple(t5_places(REAL.models[BACKBONE].dimensions))
    found = {}
    for configuration in METHODS[method].configurations:
        if default and not configuration.default:
            continue
        for edit in (edit for stage in configuration.recipe.stages for edit in stage.edits):
            for place in numbered(edit, [place for place in places if edit.where.matches(place)]):
                for name, shape in {**edit.tensors(place), **edit.shared_tensors(place)}.items():
                    found[edit.kind, name, shape, place.fan_in, place.fan_out] = None
    return tuple(found)


def default_of(method: Method) -> Configuration:
    return next(c for c in method.configurations if c.default)


def tensors(method: Method, *, default: bool, trained: bool) -> set[str]:
    found = brought(method.id, default=default)
    return {name for _, name, shape, _, _ in found if shape.trained or not trained}


def roles(method: Method) -> set[str]:
    """What the backbone's own tensors are called that a configuration trains by their role."""
    stages = [stage for c in method.configurations for stage in c.recipe.stages]
    return {ROLES.get(role, role) for stage in stages for where in stage.train for role in where.roles}


def values_in_code(method: Method) -> set[str]:
    """Names that stand for values; what is only called is none."""
    tree = ast.parse(method.pseudocode)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    return names | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def made_in_code(method: Method) -> set[str]:
    """Names that pseudo-code gives values to, or defines."""
    tree = ast.parse(method.pseudocode)
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return stored | arguments | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def letters(method: Method) -> set[str]:
    return {*formula.MODEL_SYMBOLS, *default_of(method).formula.let}


def settings(method: Method) -> set[str]:
    """Hyper-parameters of the recipe."""
    stages = default_of(method).recipe.stages
    settled = [e for stage in stages for e in (*stage.edits, stage.optimizer, stage.mask) if e is not None]
    return {name for record in settled for name in type(record).model_fields} | {"alpha"}


every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@every_method
def test_every_trained_tensor_is_named(method: Method) -> None:
    attributes = {node.attr for node in ast.walk(ast.parse(method.pseudocode)) if isinstance(node, ast.Attribute)}
    said = values_in_code(method) | attributes | {plain(name) for name, _, _ in declared(method)}
    assert not tensors(method, default=True, trained=True) - said


@every_method
def test_lines_fit_the_page(method: Method) -> None:
    assert max(map(len, method.pseudocode.splitlines())) <= 100


@every_method
def test_kinds_that_share_a_name_are_told_apart(method: Method) -> None:
    """Two edits of UniPELT have a `down`: they are `low_rank.down` and `bottleneck.down`."""
    kinds: dict[str, set[str]] = {}
    for kind, name, shape, _, _ in brought(method.id, default=True):
        if shape.trained and kind != "intrinsic_prompt":
            kinds.setdefault(name, set()).add(kind)
    for name, having in kinds.items():
        for kind in having if len(having) > 1 else ():
            assert f"{kind}.{name}" in method.pseudocode or f"({kind}, " in method.pseudocode, (kind, name)


@every_method
def test_what_is_said_to_be_trained_is_trained_by_a_recipe(method: Method) -> None:
    said = {plain(name) for name, _, trained in declared(method) if trained}
    assert not said - tensors(method, default=False, trained=True) - roles(method)


@every_method
def test_tensors_of_the_backbone_that_are_trained_are_said_to_be(method: Method) -> None:
    if WHOLE & {node.attr for node in ast.walk(ast.parse(method.pseudocode)) if isinstance(node, ast.Attribute)}:
        return
    said = {plain(name) for name, _, trained in declared(method) if trained}
    trained = {ROLES.get(role, role) for s in default_of(method).recipe.stages for w in s.train for role in w.roles}
    assert not trained - said


@every_method
def test_every_other_name_is_known(method: Method) -> None:
    """So a tensor that the recipe calls otherwise does not pass for something else."""
    free = values_in_code(method) - made_in_code(method) - set(dir(builtins))
    known = tensors(method, default=False, trained=False) | roles(method) | letters(method) | settings(method)
    known |= {kind for kind, *_ in brought(method.id, default=True)}
    assert not free - known - {name for names in NO_TENSOR_OF_THE_RECIPE.values() for name in names.split()}


@every_method
def test_shapes_are_those_of_the_recipe(method: Method) -> None:
    numbers = formula.bind(default_of(method).formula.let, REAL.models[BACKBONE].symbols())
    of_recipe: dict[str, list[tuple[tuple[int, ...], dict[str, int]]]] = {}
    for _, name, shape, fan_in, fan_out in brought(method.id, default=True):
        of_recipe.setdefault(name, []).append((shape.dims, {"fan_in": fan_in, "fan_out": fan_out}))
    for name, sides, _ in declared(method):
        if sides is not None and (found := of_recipe.get(plain(name))):
            said = [tuple(formula.evaluate(side, {**numbers, **fans}) for side in sides) for _, fans in found]
            assert any(one == dims for one, (dims, _) in zip(said, found, strict=True)), (name, sides, said, found)


@every_method
def test_every_trained_tensor_has_its_shape(method: Method) -> None:
    shaped = {plain(name) for name, sides, _ in declared(method) if sides is not None}
    assert tensors(method, default=True, trained=True) - shaped == set(NO_SHAPE.get(method.id, {}))


def test_no_known_name_is_left_over() -> None:
    used = {name for method in METHODS.values() for name in values_in_code(method) - made_in_code(method)}
    assert not {name for names in NO_TENSOR_OF_THE_RECIPE.values() for name in names.split()} - used


@every_method
def test_letters_of_the_formula_mean_the_same_in_pseudo_code(method: Method) -> None:
    let = default_of(method).formula.let
    used = {name for text in (*let.values(), default_of(method).formula.trainable) for name in formula.names_in(text)}
    both = (made_in_code(method) | tensors(method, default=True, trained=False)) & (used | set(let))
    assert both == set(SAME_LETTERS.get(method.id, {}))
