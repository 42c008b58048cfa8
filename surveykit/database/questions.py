"""Questions that show what can be asked: on the command line's help, in the README and on the site's SQL page."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Question:
    """A question in words, as a whole SELECT, and as arguments of `surveykit query` that give the same rows."""

    def __init__(self, asks: str, sql: str, arguments: Sequence[str] | None = None) -> None:
        self.asks = asks
        self.sql = sql
        self.arguments = ("--sql", sql) if arguments is None else tuple(arguments)

    @property
    def command(self) -> str:
        """The command as one types it."""
        return " ".join(["surveykit query", *(_quoted(word) for word in self.arguments)])


def _quoted(word: str) -> str:
    """A word for a shell, in double quotes where it needs any: conditions have single ones."""
    plain = word.startswith("--") or word.replace("_", "").replace(",", "").replace("-", "").isalnum()
    return word if plain else '"' + " ".join(word.split()) + '"'


QUESTIONS = (
    Question(
        "Which reparametrizations cost nothing at inference?",
        "SELECT id, name, trainable_percent_measured\nFROM methods\nWHERE type = 'R' AND overhead = 'none'\nORDER BY id",
        ("type = 'R' and overhead = 'none'", "--select", "id,name,trainable_percent_measured"),
    ),
    Question(
        "Which methods train less than 0.1 % of T5-3B and save memory?",
        "SELECT id, name, trainable_percent_measured, ram_ratio\nFROM methods_on('t5-3b')\n"
        "WHERE ram AND trainable_percent_measured < 0.1\nORDER BY trainable_percent_measured",
        (
            "ram and trainable_percent_measured < 0.1", "--backbone", "t5-3b",
            "--select", "id,name,trainable_percent_measured,ram_ratio", "--order-by", "trainable_percent_measured",
        ),
    ),
    Question(
        "Which methods keep backward out of the backbone and need less than half of the memory?",
        "SELECT id, name, bp_measured, ram_ratio\nFROM methods\nWHERE bp_measured = 'none' AND ram_ratio < 0.5\nORDER BY id",
        ("bp_measured = 'none' and ram_ratio < 0.5", "--select", "id,name,bp_measured,ram_ratio"),
    ),
    Question(
        "How many methods has each family, and how much do they train?",
        "SELECT family, count(*) AS methods, round(median(trainable_percent_measured), 3) AS median_percent\n"
        "FROM methods\nGROUP BY family\nORDER BY methods DESC, family",
    ),
    Question(
        "Which printed figures differ from what we count, and why?",
        "SELECT source, locator, printed, measured, cause\nFROM verdict\nWHERE verdict = 'differs'\n"
        "ORDER BY row_label, backbone, column_name",
    ),
    Question(
        "What of the survey's sentences do its own tables contradict?",
        "SELECT id, locator, says\nFROM statements\nWHERE status = 'contradicted'\nORDER BY position",
    ),
    Question(
        "What is each method's mean score on T5-11B, and which are in doubt?",
        "SELECT method, round(score_mean, 1) AS mean, caveat\nFROM table4_recomputed\nWHERE backbone = 't5-11b'\n"
        "ORDER BY score_mean DESC, method",
    ),
    Question(
        "Which methods score best on RTE with T5-11B in the survey's raw results?",
        "SELECT method, round(avg(score), 1) AS mean, count(score) AS runs\nFROM appendix_b\n"
        "WHERE backbone = 't5-11b' AND dataset = 'RTE'\nGROUP BY method\nORDER BY mean DESC NULLS LAST, method",
    ),
)  # fmt: skip
