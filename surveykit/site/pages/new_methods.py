"""An Atom feed of the methods that came into the catalog after its first edition."""

from __future__ import annotations

from surveykit.database.reading import Reader
from surveykit.site.inputs import Surroundings
from surveykit.site.text.atom import Entry, atom, newest_measurement
from surveykit.site.text.words import IDEAS, words

METHODS_FEED = "methods.xml"


def methods_feed(reader: Reader, around: Surroundings) -> str:
    """The feed: an entry for each method that says when it was added, the newest first."""
    added = reader.all(
        "SELECT id, method.name, method.added, idea, families, year FROM method JOIN methods USING (id)"
        " WHERE method.added IS NOT NULL ORDER BY method.added DESC, lower(method.name), id"
    )
    return atom(
        around, METHODS_FEED, "methods", "surveykit: new methods",
        "Methods of parameter-efficient fine-tuning that came into the catalog", "methods/", newest_measurement(reader),
        [
            Entry(
                f"method-{m.id}", f"{m.name} ({m.year})", m.added, f"methods/{m.id}/",
                f"{m.idea}\n\nIdeas: {', '.join(words(name, IDEAS) for name in m.families)}.",
            )
            for m in added
        ],
    )  # fmt: skip
