"""New files of a catalog, with a comment on every field: they load as they stand, and are then filled in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args

from surveykit.beside import new_file, new_folder
from surveykit.catalog.sources import KEY_PATTERN
from surveykit.errors import SurveyError
from surveykit.record import ID_PATTERN, MODEL_ID_PATTERN

Kind = Literal["source", "method", "model", "plan"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_HERE = Path(__file__).parent
_ONE_FILE = ("method", "plan")


def write(kind: Kind, name: str, catalog: Path, config: Path | None = None) -> list[Path]:
    """Write a commented source, method, model or plan that loads.

    Args:
        kind: what to write.
        name: its id: lower-case words and numbers joined by hyphens; that of a model may have dots.
        catalog: the folder to write in; it is made where it is missing, and then lies over the bundled catalog.
        config: of a model, its config.json; without it, an example to replace.

    Returns:
        The files that were written.

    Raises:
        SurveyError: the name is not allowed, something of this name is there, or the folder cannot be written.
    """
    pattern = {"model": MODEL_ID_PATTERN, "source": KEY_PATTERN}.get(kind, ID_PATTERN)
    if not re.fullmatch(pattern, name):
        dots = ", dots" if kind == "model" else ""
        raise SurveyError(
            f"'{name[:60]}' is not a name for a {kind}: use lower-case letters, digits{dots} and hyphens, such as my-{kind}"
        )
    if config is not None and kind != "model":
        raise SurveyError(f"a {kind} has no config.json; --config belongs to `surveykit new model`")
    target = catalog / f"{kind}s" / (f"{name}.yaml" if kind in _ONE_FILE else name)
    if target.exists() or target.is_symlink():
        raise SurveyError(f"{target} already exists; choose another name, or edit it")
    texts = _texts(kind, name)
    try:
        if config is not None:
            texts["config.json"] = config.read_text(encoding="utf-8")
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind in _ONE_FILE:
            with new_file(target) as path:
                path.write_text(texts[f"{kind}.yaml"], encoding="utf-8")
            return [target]
        with new_folder(target) as folder:
            for file, text in texts.items():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise SurveyError(f"{target} cannot be written: {getattr(error, 'filename', None) or ''} {reason}") from None
    return [target / file for file in texts]


def _texts(kind: Kind, name: str) -> dict[str, str]:
    """The files of a kind by their place in its folder, with the name filled in."""
    words = re.sub(r"[-]", " ", name).title()
    folder = _HERE / kind
    paths = [_HERE / f"{kind}.yaml"] if kind in _ONE_FILE else sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        (path.name if kind in _ONE_FILE else path.relative_to(folder).as_posix()): path.read_text(encoding="utf-8")
        .replace(f"example-{kind}", name)
        .replace(f"Example {kind.title()}", words)
        for path in paths
    }
