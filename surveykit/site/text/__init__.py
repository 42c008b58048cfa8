"""Markdown, numbers and words: the parts that pages are written with."""
