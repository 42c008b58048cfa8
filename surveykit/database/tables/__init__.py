"""The tables of the database: one class each, with its columns, their comments and constraints, and where rows come from.

Everything that joins them is a view or a macro in surveykit/database/views.
"""

from surveykit.database.rows import Row
from surveykit.database.tables import (
    bench,
    claims,
    findings,
    measured,
    methods,
    predictions,
    settings,
    statements,
    verdicts,
)

TABLES: tuple[type[Row], ...] = (
    methods.Paper, methods.Method, methods.Alias, methods.Idea, methods.Relation, methods.Implementation, methods.Attribute,
    methods.Overhead, methods.Backbone, methods.Configuration, methods.Oracle,
    settings.Setting, settings.SettingSource,
    measured.Quantity, measured.Sense, measured.Judging, measured.Run, measured.Measurement, measured.FormulaValue, measured.Cost,
    measured.MemoryUse, measured.Prediction, measured.SavedFile, measured.Trial,
    claims.Source, claims.SourceTable, claims.DescribedIn, claims.PrintedName, claims.PrintedModel, claims.Claim,
    claims.Explanation, claims.ExplanationFigure, claims.ExplanationTried,
    verdicts.Verdict, verdicts.MemoryTried, verdicts.MemorySetting, predictions.MemoryPrediction, predictions.MemoryError,
    bench.Plan, bench.BenchRun, bench.Bench, bench.BenchClaim,
    statements.Citation, statements.MissingInSource, statements.Said, statements.Statement, statements.StatementReading,
    statements.StatementResult, statements.SecondReading, statements.DataCheck, statements.DataCheckResult,
    findings.Finding, findings.FindingPart,
)  # fmt: skip
"""All tables, each after those that it refers to."""
