"""What counting says on every model type of transformers that has a causal, seq2seq, masked or classification class.

Each type's default configuration is built without weights, by transformers alone and by us. Printed are the types that are
counted, and the reasons for the others. It ends with code 1 where there is a fault of ours: an exception that is meant for
no user, or a message that blames transformers for what transformers builds. Some minutes; tests try a sample.

    python benchmarks/model_types.py [TYPE …]
"""

from __future__ import annotations

import logging
import re
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from transformers import CONFIG_MAPPING
from transformers.models.auto import modeling_auto

from surveykit.catalog.locate import locate
from surveykit.catalog.selection import selected_recipes
from surveykit.engine import count
from surveykit.engine.models.model import blueprint_of
from surveykit.errors import RecipeError, SurveyError

CLASSES = [
    getattr(modeling_auto, f"MODEL_FOR_{kind}_MAPPING_NAMES")
    for kind in ("CAUSAL_LM", "SEQ_TO_SEQ_CAUSAL_LM", "MASKED_LM", "SEQUENCE_CLASSIFICATION")
]
METHODS = ("lora", "ln-tuning", "bitfit/native", "prefix-tuning")
SECONDS = 60


def types() -> list[str]:
    return sorted({name for names in CLASSES for name in names} & {*CONFIG_MAPPING})


def class_names(model_type: str) -> Iterator[str]:
    for names in CLASSES:
        found = names.get(model_type, ())
        yield from (found,) if isinstance(found, str) else found


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError(f"over {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def built_by_transformers(model_type: str, name: str) -> str | None:
    """What transformers builds from the default configuration with a class of this name; None where it cannot."""
    try:
        with torch.device("meta"):
            model = getattr(transformers, name)(CONFIG_MAPPING[model_type]())
    except Exception:
        return None
    return f"{name} of {sum(p.numel() for p in model.parameters()):,} parameters"


def said(model_type: str) -> tuple[str, str]:
    """`counted`, `refused`, `fault` or `not tried`, and the counts or the reason."""
    try:
        config = CONFIG_MAPPING[model_type]()
    except Exception as error:
        return "not tried", f"no default configuration: {type(error).__name__}"
    recipes = selected_recipes(locate(None).root, METHODS)
    try:
        instance = blueprint_of(config).build()
    except SurveyError as error:
        message = " ".join(str(error).split())
        blamed = re.search(r"transformers cannot build (\w+)|transformers has no model", message)
        names = [] if blamed is None else [blamed[1]] if blamed[1] else class_names(model_type)
        built = next(filter(None, (built_by_transformers(model_type, name) for name in names)), None)
        return ("refused", message) if built is None else ("fault", f"transformers builds {built}, but: {message}")
    except Exception as error:
        return "fault", f"{type(error).__name__}: {error}"
    found = []
    for name, recipe in recipes:
        try:
            found.append(f"{name} {count(recipe, instance).trainable:,}")
        except RecipeError as error:
            found.append(f"{name}: {error}")
        except Exception as error:
            return "fault", f"{name}: {type(error).__name__}: {error}"
    return "counted", "; ".join(found)


def main() -> int:
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    tally: Counter[str] = Counter()
    for model_type in sys.argv[1:] or types():
        try:
            with at_most(SECONDS):
                standing, words = said(model_type)
        except TimeoutError as error:
            standing, words = "fault", str(error)
        tally[standing] += 1
        print(f"{model_type:28} {standing:10} {words[:400]}", flush=True)
    print(", ".join(f"{number} {standing}" for standing, number in tally.items()))
    return 1 if tally["fault"] else 0


if __name__ == "__main__":
    sys.exit(main())
