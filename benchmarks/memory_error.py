"""How far predicted memory is from what published runs measured, by kind of setting, on runs that are held out.

The predictions are those that `surveykit measure` recorded; the split into runs that something may be tuned on and runs
that are held out is by source and model, drawn by a seed. Rows of PEFT's benchmark whose method has no recipe here are
predicted through PEFT's own modules, which takes some minutes. What is found is written to benchmarks/memory_error.json,
which the page "How far off is this?" reads.

    python benchmarks/memory_error.py
"""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import peft
import torch
import transformers
from tqdm import tqdm

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.peft_file import peft_file
from surveykit.catalog.peft_methods import WHOLE
from surveykit.catalog.steps import step_of
from surveykit.database.tables.verdicts import evidence
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.trace.peft_costs import PeftCosts
from surveykit.errors import SurveyError
from surveykit.site.data.memory_error import Group, MemoryErrors, ModuleRun
from surveykit.verify.predictions import SEED, allocator_share, errors, predictions

ROOT = Path(__file__).parent.parent
WRITTEN = Path(__file__).with_suffix(".json")
SOURCE, TABLE, MODEL = "peft-metamathqa", "results", "llama-3.2-3b"


def module_runs(catalog: Catalog) -> Iterator[ModuleRun]:
    """Experiments of PEFT's benchmark through PEFT's own modules, in the setting of their row."""
    table = catalog.sources[SOURCE].tables[TABLE]
    stated = table.meaning.runs
    assert stated is not None, "the table says how its runs were made"
    model = blueprint(catalog.models[MODEL])
    for row in tqdm([row for row in table.rows if row["peft_type"] != WHOLE], unit="experiment"):
        name, printed = row["experiment"], int(row["mem_reserved_max"])
        file = peft_file({"peft_type": row["peft_type"], **json.loads(row["config"])}, name)
        step = step_of(stated, catalog.settings[stated.preset], row)
        try:
            cost = PeftCosts(model, file).training(step.batch, step.length, step.target_length, step.training)
        except SurveyError as reason:
            yield ModuleRun(row=name, printed=printed, predicted=None, reason=str(reason))
        else:
            yield ModuleRun(row=name, printed=printed, predicted=cost.memory.peak, reason=None)


def main() -> None:
    catalog = load(ROOT / "catalog")
    found = predictions(evidence(catalog))
    groups = Counter((p.claim.source, p.model, p.split) for p in found)
    written = MemoryErrors(
        date=datetime.date.today(), torch=torch.__version__.partition("+")[0], transformers=transformers.__version__,
        peft=peft.__version__, seed=SEED, allocator_share=allocator_share(catalog),
        groups=tuple(Group(source=s, model=m, split=split, runs=runs) for (s, m, split), runs in sorted(groups.items())),
        errors=errors(found), modules=tuple(module_runs(catalog)),
    )  # fmt: skip
    WRITTEN.write_text(written.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for e in written.errors:
        print(f"{e.kind}, {e.split}: {e.runs} runs, median {e.median_percent:.1f} %, worst {e.worst_percent:.1f} %")
    print(
        f"PEFT's own modules: {written.compared} of {len(written.modules)} experiments, mean {written.mean_percent:.2f} %, "
        f"rank correlation {written.rank_correlation:.3f}"
    )


if __name__ == "__main__":
    main()
