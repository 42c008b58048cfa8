"""Runs every command in this one process, and prints what each left behind in it. A process of its own, so that
nothing of a test runner is among it: `python tests/process_state.py FOLDER`, which it fills."""

from __future__ import annotations

import contextlib
import decimal
import gc
import hashlib
import io
import json
import locale
import logging
import multiprocessing
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

# What importing a library changes is the library's own; only what our commands change is asked for here.
import bench_plans
import matplotlib
import numpy
import site_config
import small_catalog
import small_models
import torch
import transformers
from small_text_model import save_bert

import surveykit
from surveykit.cli import COMMANDS, main
from surveykit.database import cache

transformers.logging.get_verbosity()  # it makes its logger when that is first used
ROOT = Path(__file__).parent.parent


def words_of(folder: Path) -> dict[str, tuple[list[list[str]], list[list[str]]]]:
    """For every command the words with which it works, on little, and those with which it fails."""
    config, model, t5, none = (str(folder / name) for name in ("mkdocs.yml", "model", "t5", "none"))
    step = ["--batch", "2", "--length", "8"]
    own = ["--catalog", str(folder / "own")]
    sample = ["--sample", "1"]  # in this very process; measuring trials tries others
    memory = ["--gpu-memory", "1GB", *step, "--methods", "lora", "--quiet"]
    return {
        "query": ([["type = 'R'"], ["--sql", "SELECT count(*) FROM method"]], [["typ = 'R'"], ["--sql", "DROP x"]]),
        "fields": ([["methods"]], [["nothing"]]),
        "validate": ([[]], [["--catalog", none]]),
        "where": ([[]], [["--catalog", none]]),
        "schema": ([[], ["--check"]], [["--catalog", none]]),
        "count": ([["lora", "--model", model]], [["lora", "--model", none], ["nothing", "--model", model]]),
        "measure": (
            [
                ["full-tuning", "--only", "trials", "--all", "--quiet"],  # one group, so in this very process
                ["lora", "--backbone", "t5-large", "--only", "counts", "--all", "--quiet"],
                ["lora", "--only", "trials", "--all", "--quiet"],
                ["lora", "--model", t5, *step],
            ],
            [["nothing"], ["lora", "--model", none, *step]],
        ),
        "bench": (
            [
                [
                    str(folder / "tiny.yaml"),
                    "--results",
                    str(folder / "results"),
                    "--device",
                    "cpu",
                    "--executor",
                    "here",
                ]
            ],
            [["nothing"]],
        ),
        "trial": ([["lora", "--model", model, "--steps", "1", *step, "--quiet"]], [["lora", "--model", none]]),
        "sources": ([[]], [["--catalog", none]]),
        "check": ([[str(folder / "claims.csv"), "--model", model]], [[none, "--model", model]]),
        "new": (
            [["source", "my-draft", *own], ["method", "my-method", *own], ["model", "my-model", *own]],
            [["source", "my-draft", *own], ["method", "My Method", *own]],
        ),
        "verify": (
            [["--table", "table5", *sample], ["--source", "lialin2023scaling", *sample]],
            [["--catalog", none], ["--source", "nothing"]],
        ),
        "verify-params": ([["--method", "lora", "--backbone", "t5-large", "--quiet"]], [["--method", "nothing"]]),
        "verify-backbones": ([], [["t5-large", "--checkpoint", none], ["nothing"]]),
        "fit": ([["--model", t5, *memory]], [["--model", none, *memory]]),
        "audit": ([[], ["--data"]], [["--catalog", none]]),
        "show": ([["lora"]], [["nothing"]]),
        "compare": ([["lora", "full-tuning"]], [["lora", "nothing"]]),
        "cite": ([["lora"]], [["nothing"]]),
        "export": ([["--format", "csv", str(folder / "csv")]], [["--format", "csv", "/dev/null/no"]]),
        "mcp": ([], [["--catalog", none]]),
        "build": ([["--output", str(folder / "own.duckdb")]], [["--output", "/dev/null/no.duckdb"]]),
        "site": ([["--config", config], ["--config", config, "--offline"]], [["--config", none]]),
        "reproduce": ([["--config", config, "--quiet", *sample]], [["--config", none, "--quiet"]]),
    }


def state() -> dict[str, Any]:
    """Everything that outlives a command in its process, by its name, in a form that can be compared."""
    mask = os.umask(0)
    os.umask(mask)
    arithmetic = decimal.getcontext()
    return {
        "environment": dict(os.environ),
        "working directory": os.getcwd(),
        "sys.path": [*sys.path],
        "sys.argv": [*sys.argv],
        "streams": [id(sys.stdin), id(sys.stdout), id(sys.stderr), *(os.fstat(n).st_ino for n in (0, 1, 2))],
        "hooks": [repr(sys.excepthook), repr(sys.unraisablehook), repr(threading.excepthook), repr(sys.gettrace())],
        "limits": [sys.getrecursionlimit(), sys.get_int_max_str_digits(), gc.isenabled(), socket.getdefaulttimeout()],
        "warnings": [repr(line) for line in warnings.filters],
        "loggers": {name: _logger(name) for name in ["", *sorted(logging.root.manager.loggerDict)]},
        "logging": logging.root.manager.disable,
        "signals": {str(number): repr(signal.getsignal(number)) for number in sorted(signal.valid_signals())},
        "umask": mask,
        "locale": locale.setlocale(locale.LC_ALL),
        "decimal": [arithmetic.prec, arithmetic.rounding, repr(arithmetic.traps)],  # its flags tell of the past only
        "random": _digest(repr(random.getstate())),
        "random of numpy": _digest(repr(numpy.random.get_state())),
        "random of torch": _digest(torch.get_rng_state().numpy().tobytes()),
        "torch": [
            str(torch.get_default_dtype()), torch.get_num_threads(), torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
            torch.are_deterministic_algorithms_enabled(), str(torch.get_default_device()),
        ],
        "transformers": [transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()],
        "matplotlib": {name: repr(value) for name, value in matplotlib.rcParams.items()},
        "threads": [repr(thread) for thread in threading.enumerate()],
        "processes": sorted(child.name for child in multiprocessing.active_children()),
        "temporary files": sorted(os.listdir(tempfile.gettempdir())),
        "half-written files": sorted(str(path) for path in Path.cwd().rglob("*.partial*")),
    }  # fmt: skip


def _logger(name: str) -> list[object]:
    logger = logging.getLogger(name or None)
    handlers = [type(handler).__name__ for handler in logger.handlers]
    return [logger.level, handlers, len(logger.filters), logger.propagate, logger.disabled]


def _digest(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    """What differs, in words; a logger that an import made is no change."""
    before = before | {"loggers": {n: after["loggers"][n] for n in after["loggers"]} | before["loggers"]}
    return {name: f"{_less(before[name], after[name])} → {_less(after[name], before[name])}"
            for name in before if before[name] != after[name]}  # fmt: skip


def _less(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return {key: value for key, value in one.items() if other.get(key) != value}
    return [item for item in one if item not in other] if isinstance(one, list) else one


def run_all(folder: Path) -> list[dict[str, Any]]:
    """Each command with each of its words: its exit code, and what is not as it was before."""
    catalog = small_catalog.write(folder / "catalog")
    site_config.write(folder, Path("/nowhere"))
    save_bert(folder / "model")
    small_models.CONFIGS["t5"]().save_pretrained(folder / "t5")
    (folder / "claims.csv").write_text("method,column,printed\nlora,trainable,1\n", encoding="utf-8")
    bench_plans.plan(folder, configurations=["lora", "full-tuning"])
    (folder / "temporary").mkdir()
    tempfile.tempdir = str(folder / "temporary")
    os.environ[cache.ENVIRONMENT] = str(folder / "cache")
    os.chdir(folder)
    torch.set_num_threads(2)  # not one, which our commands set for a while
    words = words_of(folder)
    assert set(words) == set(COMMANDS), "every command is tried"
    return [
        _run(["--catalog", str(catalog), command, *more], works)
        for command in COMMANDS
        for works, lines in zip((True, False), words[command], strict=True)
        for more in lines
    ]


def _run(words: list[str], works: bool) -> dict[str, Any]:
    before, output = state(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = main(words)
    left = changed(before, state())
    return {"words": words[2:], "works": works, "code": code, "left": left, "output": output.getvalue()[-2000:]}


if __name__ == "__main__":
    results = run_all(Path(sys.argv[1]).resolve())
    os.chdir("/")  # where no catalog lies, so that the bundled one is loaded
    print(json.dumps({"runs": results, "methods": sorted(surveykit.load().methods)}))
