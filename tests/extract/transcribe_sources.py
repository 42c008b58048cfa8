"""Turn files of published results into the tables of catalog/sources: `<source>/tables/<table>.csv`, cells as printed.

python tests/extract/transcribe_sources.py peft-metamathqa/results peft_metamathqa.csv > results.csv

The input is CSV with one row for each run and a `source` column, `repository@revision:path`. Columns that nobody printed,
such as the results of formulas, are left out: to find them is what the catalog is for.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

Row = Mapping[str, str]
Cell = Callable[[Row], str]
Rows = Callable[[Row], bool]


def column(name: str) -> Cell:
    """The cell as it stands."""
    return lambda row: row[name]


def inside(name: str, key: str) -> Cell:
    """A number in a cell of JSON; empty where the run has none."""
    return lambda row: str(json.loads(row[name] or "{}").get(key, ""))


def constant(text: str) -> Cell:
    """What the head of a group of columns says, beside its cells."""
    return lambda row: text


def decimals(name: str, digits: int) -> Cell:
    """A number with the digits that the source prints; where a run failed, what it prints instead."""
    return lambda row: f"{float(row[name]):.{digits}f}" if row[name] else row.get("oom", "")


def dashed(cell: Cell) -> Cell:
    """A cell that is a dash where a run failed."""
    return lambda row: "-" if row["oom"] else cell(row)


def grouped(name: str) -> Cell:
    """A whole number with separators of thousands."""
    return lambda row: f"{int(row[name]):,}" if row[name] else ""


def revision(row: Row) -> str:
    return re.split("[@:]", row["source"])[1]


def path(row: Row) -> str:
    return row["source"].rpartition(":")[2]


def words(name: str) -> Cell:
    """Hyper-parameters with spaces between them."""
    return lambda row: row[name].replace(";", ", ")


def every(row: Row) -> bool:
    return True


def where(name: str, *values: str) -> Rows:
    """Rows in which a cell begins with one of these."""
    return lambda row: row[name].startswith(values)


def as_it_is(*names: str, **renamed: str) -> dict[str, Cell]:
    return {**{name: column(name) for name in names}, **{new: column(old) for new, old in renamed.items()}}


def printed_unit(row: Row) -> str:
    """A figure and its unit, with the sign of a bound before it."""
    unit, _, bound = row["unit"].partition(" ")
    return {"": "", "(more than)": ">", "(less than)": "<"}[bound] + row["memory"] + unit


LITGPT = as_it_is("section", "size", "model", "quantization")
TABLES: Mapping[str, tuple[Rows, *tuple[Mapping[str, Cell], ...]]] = {
    "peft-metamathqa/results": (every, {
        **as_it_is("experiment", "peft_type", "config", "model", "dtype", "batch", "max_len", "optimizer", "lr",
                   "autocast_adapter_dtype", "grad_ckpt", "max_steps", "seed", "trainable", "total",
                   file_size="file_bytes"),
        **as_it_is("mem_reserved_max", "mem_reserved_p99", "mem_reserved_avg", "train_seconds", "total_seconds"),
        "test_accuracy": inside("test_metric", "test accuracy"),
        "forgetting": inside("test_metric", "forgetting"),
        **as_it_is("status", "accelerator", "torch", "peft_commit", "date"),
        "file": path,
    }),
    "peft-metamathqa/history": (every, {
        **as_it_is("experiment", "created_at", "trainable", "test_accuracy", "forgetting", "mem_reserved_max",
                   "mem_reserved_avg", "train_seconds", "file_size", "accelerator", "torch", "transformers", "peft",
                   "peft_commit", "max_steps", "batch", "lr", "seed", "status"),
        "revision": revision,
    }),
    "lora-paper/glue": (where("table", "Table 2"), as_it_is("model", "method", trainable="printed_millions")),
    "lora-paper/e2e": (where("table", "Table 3"), {
        **as_it_is("model", "method"), "trainable": decimals("printed_millions", 2),
    }),
    "lora-paper/gpt3": (where("table", "appendix"), {
        "model": column("model"), "method": column("method"), "hyperparameters": words("hyperparameters"),
        "trainable": column("printed_millions"), **as_it_is("wikisql", "mnli_m"),
    }),
    "litgpt-resources/finetuning": (where("section", "Finetuning"), {
        **LITGPT, **as_it_is("method", "microbatch"), "trainable": grouped("trainable"), "gpu": column("gpu"),
        "max_gpu_ram": decimals("max_gpu_ram_gb", 2), "minutes": dashed(decimals("minutes_1k_iter", 2)),
        **as_it_is("longest_example_tokens", "precision", "batch"),
    }),
    "litgpt-resources/inference": (where("section", "Single-GPU"), {
        **LITGPT, "gpu": column("gpu"), "max_gpu_ram": decimals("max_gpu_ram_gb", 2),
        "tokens_per_second": dashed(column("tokens_per_s")),
    }),
    "fms-acceleration/a100": (every, {
        **as_it_is("model_name_or_path", "framework_config", "peft_method", "r", "lora_alpha", "lora_dropout",
                   "target_modules", "torch_dtype", "bf16", "fp16", "num_gpus", "per_device_train_batch_size",
                   "mem_nvidia_mem_reserved", "mem_peak_torch_mem_alloc_in_bytes", "mem_torch_mem_alloc_in_bytes",
                   "train_tokens_per_second", "train_samples_per_second", "train_runtime", "train_loss"),
        "file": path,
    }),
    "fourierft-paper/table1": (
        every,
        {"model": column("model"), "method": constant("LoRA"),
         **as_it_is(size="lora_r", trainable="lora_printed", required="lora_bytes_printed")},
        {"model": column("model"), "method": constant("FourierFT"),
         **as_it_is(size="fourier_n_printed", trainable="fourier_printed", required="fourier_bytes_printed")},
    ),
    "qlora-paper/table6": (where("table", "Table 6"), as_it_is("model", "bits", "memory")),
    "qlora-paper/text": (where("table", "text"), {
        **as_it_is("model", "component"), "memory": printed_unit,
        "place": lambda row: row["source"].removeprefix("arXiv 2305.14314 ").partition(" (")[0],
    }),
}  # fmt: skip
"""Which rows of the input make a table, and what its columns hold: once, or for each group of columns of the input."""


def transcribed(table: str, rows: Iterable[Row]) -> Iterator[list[str]]:
    """The lines of a table, its columns first."""
    wanted, *groups = TABLES[table]
    yield list(groups[0])
    for row in filter(wanted, rows):
        for cells in groups:
            yield [cell(row) for cell in cells.values()]


def main() -> None:
    """Write the table that is named first, made from the file that is named second, to standard output."""
    table, file = sys.argv[1:]
    with Path(file).open(encoding="utf-8", newline="") as stream:
        csv.writer(sys.stdout, lineterminator="\n").writerows(transcribed(table, csv.DictReader(stream)))


if __name__ == "__main__":
    main()
