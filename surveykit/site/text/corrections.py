"""Where a reader's corrections go."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from surveykit.record import Record


class Sources(Record):
    """The repository that a site is made from; without one, there is nowhere to send a reader."""

    repository: str | None = None
    """Its address."""
    catalog: str | None = None
    """The catalog's folder in it; None where the catalog lies elsewhere."""

    def edit(self, file: str) -> str | None:
        """Where a file of the catalog is edited."""
        return f"{self.repository}/edit/main/{self.catalog}/{file}" if self.repository and self.catalog else None

    def report(self, name: str, page: str) -> str | None:
        """A new issue about a page, with title and place filled in.

        Args:
            name: what the page is about.
            page: its path on the site, as Markdown.
        """
        if not self.repository:
            return None
        body = f"Page: {page.removesuffix('.md')}/\n\nWhat it says:\n\nWhat it should say, and the source:\n"
        return f"{self.repository}/issues/new?{urlencode({'title': f'{name}: ', 'body': body}, quote_via=quote)}"
