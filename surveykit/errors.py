"""Every failure that surveykit explains to its user.

    SurveyError              exit code 2: wrong usage, or the environment cannot do it
    ├── CatalogError         the catalog is invalid; carries every problem of every file
    ├── ChangeError          hyper-parameters or places are wrong; carries every fault
    ├── FormulaError         a formula of the catalog cannot be evaluated
    ├── QueryError           SQL or a condition that is refused or wrong
    ├── RecipeError          a recipe cannot be put on this backbone
    │   └── SettingError     a setting of training that a model cannot run in
    ├── CheckpointError      a checkpoint cannot be reached or read
    └── MissingExtra         a package of an optional extra is not installed

Findings (a figure that drifted, a difference without an explanation) are not exceptions: commands
return them as data and exit with 1.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False  # importing typing for it would cost more than this whole module
if TYPE_CHECKING:
    from collections.abc import Iterable


class SurveyError(Exception):
    """Root of all errors that are meant for a user; its text is one readable message.

    One that comes from a worker process is what it was there, however its kind makes the message.
    """

    def __reduce__(self) -> tuple[object, ...]:
        return _from_a_worker, (type(self), self.args, vars(self))


class Problem(namedtuple("Problem", ["file", "line", "column", "message"])):
    """One fault in one file of the catalog. Lines and columns count from 1; 0 means the whole file."""

    __slots__ = ()

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class CatalogError(SurveyError):
    """The catalog is invalid. `problems` holds all faults found, sorted by place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        count = len(self.problems)
        head = f"the catalog has {count} problem{'s' if count != 1 else ''}:"
        super().__init__("\n".join([head, *map(str, self.problems)]))


class ChangeError(SurveyError):
    """Changes of configurations are wrong. `faults` holds all that was found, each once."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        head = [f"{len(self.faults)} things are wrong:"] if len(self.faults) > 1 else []
        super().__init__("\n".join([*head, *self.faults]))


class FormulaError(SurveyError):
    """A formula has a syntax error, an unknown symbol, or a result that is not a whole number."""


class QueryError(SurveyError):
    """A condition or statement is refused, wrong, or ran past its bounds."""


class RecipeError(SurveyError):
    """A recipe cannot be instantiated on a backbone; the message says why."""


class SettingError(RecipeError):
    """A setting of training that a model cannot run in."""


class CheckpointError(SurveyError):
    """A checkpoint cannot be reached, or is not what its name or its header says."""


class MissingExtra(SurveyError):  # noqa: N818 (named after what is missing)
    """A package is missing that one of the extras installs."""

    def __init__(self, package: str, extra: str, what: str = "this") -> None:
        super().__init__(f"{what} needs the package {package}: in a clone of surveykit, pip install '.[{extra}]'")


def _from_a_worker(kind: type[SurveyError], args: tuple[object, ...], known: dict[str, object]) -> SurveyError:
    error = kind.__new__(kind, *args)
    vars(error).update(known)
    return error


def nearest(word: str, allowed: Iterable[str], cutoff: float = 0.5) -> str:
    """Return ``; did you mean 'x'?`` for the closest other word that is allowed, or an empty string.

    `cutoff` is how alike the two must be, from 0 to 1.
    """
    import difflib  # needed only when something is wrong

    if len(word) > 80:  # no slip of the fingers, and slow to compare
        return ""
    others = [other for other in allowed if other != word]
    close = difflib.get_close_matches(word, others, n=1, cutoff=cutoff)
    return f"; did you mean '{close[0]}'?" if close else ""
