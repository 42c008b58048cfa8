"""The tables of the database: one class each, with its columns, their comments and constraints, and where rows come from.

Everything that joins them is a view or a macro in surveykit/database/views.
"""

from surveykit.database.rows import Row
from surveykit.database.tables import claims, measured, methods, survey, verdicts

TABLES: tuple[type[Row], ...] = (
    methods.Paper, methods.Method, methods.Alias, methods.Relation, methods.Implementation, methods.Attribute,
    methods.Overhead, methods.Backbone, methods.Configuration, methods.Oracle,
    measured.Quantity, measured.Judging, measured.Run, measured.Measurement, measured.FormulaValue, measured.Cost,
    measured.MemoryUse, measured.Trial,
    claims.SurveyRow, claims.Claim, claims.Explanation, claims.ExplanationFigure, claims.ExplanationTried,
    claims.CellExplanation, claims.PrintedName, claims.Microbatch, claims.CategoryCell, claims.RawScore, claims.Prompt,
    verdicts.Verdict, verdicts.CellVerdict, verdicts.MemoryPrediction, verdicts.MemorySetting,
    survey.Citation, survey.MissingInSource, survey.Said, survey.Statement, survey.StatementReading,
    survey.StatementResult, survey.SecondReading, survey.DataCheck, survey.DataCheckResult,
)  # fmt: skip
"""All tables, each after those that it refers to."""
