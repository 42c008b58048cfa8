"""Recorded figures put to what is measured again: all, or a sample of them that is another one with each commit."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import Cell, cell_of, cells
from surveykit.catalog.measurements import Recorded, Run
from surveykit.catalog.shelves import SHELVES
from surveykit.catalog.staleness import Measure
from surveykit.record import Record
from surveykit.verify.findings import Finding

SAMPLE = 80
"""Cells of costs, predictions, files and trials that are measured again when nobody says how many: some 20 seconds on two processors."""
ROUNDING = 100
"""One part in so many is what rounding may change: three of 133 trials differ without vector instructions, by 0.04 % at most."""


class Checked(Record):
    """What was measured again, and found as recorded, before something was published."""

    date: str
    """Year-month-day."""
    commit: str | None
    """Of the repository that holds the catalog; None outside one."""
    counts: int
    """Configurations on backbones whose parameters were counted: all."""
    sampled: int
    """Cells of costs, predictions, files and trials that were measured again."""
    recorded: int
    """All of them."""
    seed: str
    """What the sample was drawn by."""
    surveykit: str
    python: str
    torch: str
    transformers: str


@dataclass(frozen=True)
class Sample:
    """Some of the cells of costs, predictions, files and trials."""

    cells: tuple[Cell, ...]
    among: int
    """All of them, those that cannot be measured here too."""
    seed: str
    everything: bool
    """Whether all are drawn that can be measured here."""
    left_out: tuple[str, ...] = ()
    """What cannot, a sentence each."""

    def sentence(self) -> str:
        """What it says of figures that were not measured again."""
        told = f"Costs, predictions, files and trials: {len(self.cells)} of {self.among} recorded were measured again"
        if not self.everything:
            share = 100 * len(self.cells) / self.among
            told += f", drawn by {self.seed}; a single false one would be met with a chance of {share:.0f} %"
        return " ".join([f"{told}.", *self.left_out])


def sample(
    catalog: Catalog, size: int | None, seed: str, unmeasurable: Mapping[Measure, str] = MappingProxyType({})
) -> Sample:
    """Draw cells by a seed: the same ones each time, others by another seed.

    Args:
        size: how many; None for all.
        unmeasurable: what cannot be measured here, each with a sentence that says why: none of it is drawn.
    """
    recorded = [cell for measure in get_args(Measure) if measure != "counts" for cell in cells(catalog, measure)]
    possible = [cell for cell in recorded if cell.measure not in unmeasurable]
    drawn = sorted(possible, key=lambda cell: hashlib.sha256(f"{seed}\n{cell.measure}\n{cell}".encode()).digest())[
        :size
    ]
    left_out = tuple(unmeasurable[measure] for measure in sorted({c.measure for c in recorded} & {*unmeasurable}))
    return Sample(tuple(drawn), len(recorded), seed, len(drawn) == len(possible), left_out)


def seed_of(root: Path) -> str:
    """What a sample is drawn by when nobody says: the commit, else the content of the catalog."""
    commit = commit_of(root)
    return f"commit {commit.partition(' ')[0]}" if commit else f"catalog {digest_of(root)}"


def commit_of(root: Path) -> str | None:
    """The commit that is checked out around a folder, with a word if files differ from it; None outside a repository."""
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return None
    return f"{commit} with changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else commit


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def digest_of(root: Path) -> str:
    """A checksum over names and contents of a catalog's files."""
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".yaml", ".csv", ".bib") and p.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def differences(catalog: Catalog, again: Iterable[Recorded], run: Run | None = None) -> Iterator[Finding]:
    """Each figure that is recorded otherwise than it was measured again. A missing record is told elsewhere.

    Args:
        run: the environment that measured again.
    """
    recorded = {
        (shelf.record, _identity(row)): row
        for shelf in SHELVES
        if shelf.measure != "counts"
        for row in shelf.rows(catalog)
    }
    for now in again:
        then = recorded.get((type(now), _identity(now)))
        if then is None:
            continue
        elsewhere = _elsewhere(catalog.runs.get(then.run), run)
        for name in ("status", "reason", *now.figures()):
            old, new = getattr(then, name), getattr(now, name)
            if old != new and not (name in now.rounded and _nearly(old, new)):
                message = f"{_what(now)}{name} is recorded as {shown(old)}, but measures {shown(new)}{elsewhere}"
                yield Finding("drift", str(cell_of(now)), message)


def _nearly(old: object, new: object) -> bool:
    return isinstance(old, int) and isinstance(new, int) and abs(old - new) * ROUNDING <= max(old, new)


def _identity(row: Recorded) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in row.identity)


def _what(row: Recorded) -> str:
    """Which of the rows of a cell it is."""
    told = {"batch": "batch {}", "length": "{} positions", "dtype": "{}", "training": "{}"}
    parts = [words.format(getattr(row, name)) for name, words in told.items() if name in row.identity]
    return f"{', '.join(parts)}: " if parts else ""


def _elsewhere(then: Run | None, now: Run | None) -> str:
    if then is None or now is None or then.run == now.run:
        return ""
    names: Sequence[str] = ("python", "torch", "transformers")
    changed = [f"{n} {getattr(then, n)}" for n in names if getattr(then, n) != getattr(now, n)]
    return f" (recorded with {', '.join(changed)})" if changed else ""


def shown(value: object) -> str:
    """A recorded value, for messages."""
    if value is None:
        return "nothing"
    return f"{value:,}" if isinstance(value, int) else f"'{value}'"
