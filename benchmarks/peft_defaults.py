"""Write anew which targets PEFT takes by default, for each type of model, from the PEFT that is installed.

python benchmarks/peft_defaults.py
"""

from __future__ import annotations

import peft
from peft.utils import constants

from surveykit.engine.peft_defaults import FILE, PeftDefaults

MAPPINGS = {
    "lora": "LORA_TARGET", "adalora": "ADALORA_TARGET", "ia3": "IA3_TARGET", "ia3_feed_forward": "IA3_FEEDFORWARD",
    "ln_tuning": "LNTUNING_TARGET",
}  # fmt: skip


def installed() -> PeftDefaults:
    """The defaults of the installed PEFT."""
    found = {field: _mapping(name) for field, name in MAPPINGS.items()}
    return PeftDefaults.model_validate({"peft": peft.__version__, **found})


def _mapping(name: str) -> dict[str, tuple[str, ...] | str]:
    mapping = getattr(constants, f"TRANSFORMERS_MODELS_TO_{name}_MODULES_MAPPING")
    return {kind: said if isinstance(said, str) else tuple(said) for kind, said in sorted(mapping.items())}


if __name__ == "__main__":
    FILE.write_text(installed().model_dump_json(indent=1) + "\n", encoding="utf-8")
