"""One module for each kind of page: rows of the database to Markdown."""
