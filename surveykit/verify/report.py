"""What `surveykit verify` finds: the verdicts on claims, and everything that does not hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Measurement, Recorded, Run
from surveykit.catalog.saved_files import FILE
from surveykit.catalog.staleness import Measure
from surveykit.verify import predictions
from surveykit.verify.again import differences
from surveykit.verify.checks import check_counts, check_recorded
from surveykit.verify.evidence import Evidence
from surveykit.verify.explanations import check_explanations
from surveykit.verify.findings import Finding
from surveykit.verify.here import with_figures
from surveykit.verify.judge import judge
from surveykit.verify.memory import Memory, Setting, sentences
from surveykit.verify.verdicts import Summary, Verdict, summaries


@dataclass(frozen=True)
class Report:
    """The outcome of a verification."""

    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    summaries: tuple[Summary, ...]
    settings: tuple[Setting, ...]
    """Errors of predicted memory, by source, table and setting."""

    @property
    def passed(self) -> bool:
        """Whether nothing was found that does not hold."""
        return not self.findings

    def sentences(self) -> list[str]:
        """Lines that can be quoted: how the claims of each table ended, and the errors of its memory."""
        lines = []
        for summary in self.summaries:
            lines.append(summary.sentence())
            of_table = [s for s in self.settings if (s.source, s.table) == (summary.source, summary.table)]
            lines += sentences(of_table, summary.name)
            rows = [v for v in self.verdicts if (v.claim.source, v.claim.table) == (summary.source, summary.table)]
            lines += predictions.sentences(rows, summary.name)
        return lines


def verify_counts(catalog: Catalog, fresh: Iterable[Measurement]) -> Report:
    """Judge the claims about counts whose configuration and model were measured now, and nothing else.

    So a selection of methods or models can be verified alone.
    """
    fresh = tuple(fresh)
    evidence = Evidence(catalog, fresh, (), (), files=catalog.files)
    measured = {(m.configuration, m.backbone) for m in fresh}
    compared = {q.id for q in catalog.quantities.quantities if q.compare == "rounding"}
    claims = [c for c in catalog.claims if c.quantity in compared and (c.configuration, c.model) in measured]
    verdicts = judge(claims, evidence)
    findings = [*check_counts(catalog, fresh), *_unexplained(verdicts), *check_explanations(evidence, verdicts)]
    return Report(verdicts, tuple(sorted(findings)), tuple(summaries(verdicts, catalog)), ())


def verify_all(
    catalog: Catalog,
    fresh: Iterable[Measurement],
    again: Iterable[Recorded] = (),
    run: Run | None = None,
    source: str | None = None,
) -> Report:
    """Judge every claim, or those of one source. Counts are fresh; what else is needed is recorded, and must be current.

    Args:
        again: costs, memory and trials that were measured again, and must be as recorded.
        run: the environment that measured them.
    """
    fresh = tuple(fresh)
    evidence = Evidence(catalog, fresh, catalog.costs, catalog.memory, catalog.predictions, files=catalog.files)
    verdicts = judge([claim for claim in catalog.claims if source in (None, claim.source)], evidence)
    findings = [
        *check_counts(catalog, fresh, recorded=source is None),
        *_unexplained(verdicts),
        *check_explanations(evidence, verdicts),
        *check_recorded(catalog, None if source is None else _needed(catalog, verdicts)),
        *differences(catalog, again, run),
    ]
    return Report(
        with_figures(catalog, verdicts), tuple(sorted(findings)), tuple(summaries(verdicts, catalog)),
        Memory(evidence).settings,
    )  # fmt: skip


def _needed(catalog: Catalog, verdicts: Iterable[Verdict]) -> dict[Measure, set[str]]:
    """The configurations that were judged by recorded costs, those by recorded predictions, and those by recorded files."""
    of_costs = {q.id for q in catalog.quantities.quantities if q.compare in ("tick", "set", "predicted")}
    of_files = {s.id for q in catalog.quantities.quantities for s in q.senses if FILE in s.counts}
    verdicts = tuple(verdicts)
    judged = [v for v in verdicts if v.claim.quantity in of_costs and v.found.configuration]
    return {
        "costs": {v.found.configuration or "" for v in judged if not v.claim.stated},
        "predictions": {v.found.configuration or "" for v in judged if v.claim.stated},
        "files": {v.found.configuration or "" for v in verdicts if v.found.sense in of_files},
    }


def _unexplained(verdicts: Iterable[Verdict]) -> Iterator[Finding]:
    for v in verdicts:
        if v.outcome == "unexplained":
            message = (
                f"printed {v.claim.printed}, measured {v.found.measured}: {v.word}; "
                f"add it to sources/{v.claim.source}/explanations.yaml"
            )
            yield Finding("unexplained", v.name, message)
