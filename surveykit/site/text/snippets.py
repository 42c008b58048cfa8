"""Code that puts a method on a loaded model.

Where the catalog names a configuration of a library whose count the tests compare with ours, the code is written from
its class and arguments, so that it says exactly what was compared. That is the whole of a method only if it trains in
one stage on an unquantized backbone, with a plain optimizer; otherwise, and where there is nothing to compare, the catalog's
own lines stand.
"""

from __future__ import annotations

import json
from typing import Any

from surveykit.database.reading import Reader
from surveykit.record import Record

_WIDTH = 88
_BEFORE = {
    "peft": "from peft import {config}, get_peft_model\n\n",
    "adapters": "import adapters\n\nadapters.init(model)\n",
}
_AFTER = {
    "peft": "model = get_peft_model(model, config)",
    "adapters": 'model.add_adapter("task", config=config)\nmodel.train_adapter("task")',
}


class Snippet(Record):
    """Lines of Python after which `model`, a T5 that is loaded already, is ready to be trained."""

    library: str
    """`peft`, `adapters` or `transformers`."""
    code: str
    configuration: str | None
    """The method/configuration that the code was written from; None for the catalog's own lines."""
    configuration_name: str | None
    """Its name."""
    is_default: bool
    """Whether that is the configuration whose counts stand on the method's page."""
    notes: tuple[str, ...]
    """What to know about it."""


def snippets(reader: Reader) -> dict[str, list[Snippet]]:
    """By method, a snippet for each library that has it, in the catalog's order of its implementations."""
    # For each method and library the oracle that comes last: of the default configuration if it has one.
    oracles = reader.all(
        "SELECT o.*, c.id, c.method, c.name, c.is_default, c.recipe FROM oracle o"
        " JOIN configuration c ON c.id = o.configuration ORDER BY c.is_default, c.id DESC, o.position DESC"
    )
    written = {(o.method, o.library): o for o in oracles if _says_all(json.loads(o.recipe))}
    found: dict[str, list[Snippet]] = {}
    for i in reader.all("SELECT * FROM implementation ORDER BY method, position"):
        notes = [i.note] if i.note else []
        oracle = written.pop((i.method, i.library), None)
        if oracle is not None:
            notes += [oracle.differs_because] if oracle.differs_because else []
            code = generated(i.library, oracle.config, json.loads(oracle.arguments))
            named = (oracle.id, oracle.name, oracle.is_default)
        elif i.snippet:
            code, named = i.snippet.strip("\n"), (None, None, False)
        else:
            continue
        found.setdefault(i.method, []).append(
            Snippet(library=i.library, code=code, configuration=named[0], configuration_name=named[1],
                    is_default=named[2], notes=tuple(notes))
        )  # fmt: skip
    return found


def _says_all(recipe: Any) -> bool:
    stages = recipe["stages"]
    return len(stages) == 1 and stages[0]["base"] is None and stages[0]["optimizer"] is None


def generated(library: str, config: str, arguments: dict[str, Any]) -> str:
    """The code for a library's configuration class with these arguments."""
    name = config if library == "peft" else f"{library}.{config}"
    given = {"task_type": "SEQ_2_SEQ_LM", **arguments} if library == "peft" else arguments
    return _BEFORE[library].format(config=config) + _call(f"config = {name}", given) + "\n" + _AFTER[library]


def _call(start: str, arguments: dict[str, Any]) -> str:
    """A call on one line, or with a line for each argument where that is too long."""
    written = [f"{name}={_literal(value)}" for name, value in arguments.items()]
    line = f"{start}({', '.join(written)})"
    if len(line) <= _WIDTH:
        return line
    return f"{start}(\n" + "".join(f"    {argument},\n" for argument in written) + ")"


def _literal(value: Any) -> str:
    """A value of JSON as Python writes it, with double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(_literal(part) for part in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(part)}" for key, part in value.items()) + "}"
    return repr(value)
