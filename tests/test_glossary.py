"""The glossary: each word once, with an address that follows from it, and links that pages make to it."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from surveykit.errors import SurveyError
from surveykit.site.rendering import Page
from surveykit.site.text.terms import GLOSSARY, glossary, term_link

TERMS = [term for group in glossary() for term in group.terms]


def test_no_two_words_share_a_name_or_an_address() -> None:
    names = Counter(name.lower() for term in TERMS for name in (term.term, *term.also))
    assert not [name for name, times in names.items() if times > 1]
    assert len({term.anchor for term in TERMS}) == len(TERMS)


def test_an_address_is_the_word_in_lower_case_with_hyphens() -> None:
    assert {term.anchor for term in TERMS} >= {
        "trainable-parameters",
        "4-bit",
        "gradient-checkpointing",
        "rank",
        "lora",
    }


def test_every_word_and_no_other_is_on_the_page(pages: dict[str, Page]) -> None:
    anchors = re.findall(r"^### .* \{ #(\S+) \}$", str(pages[GLOSSARY].content), re.MULTILINE)
    assert anchors == [term.anchor for term in TERMS]


def test_a_link_says_what_the_word_means_and_finds_it_under_each_of_its_names() -> None:
    link = term_link("NF4", "methods/qlora.md")
    assert link.startswith('[NF4](../glossary.md#4-bit "Storing the frozen weights')
    assert term_link("trainable", "index.md", "train") == term_link("trainable parameters", "index.md", "train")


def test_a_word_that_is_not_there_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(SurveyError, match="did you mean 'rank'"):
        term_link("rnak", "index.md")


def test_pages_link_to_words(pages: dict[str, Page]) -> None:
    linking = [path for path, page in pages.items() if path.endswith(".md") and "glossary.md#" in str(page.content)]
    assert {"methods/index.md", "settings.md", "how-far-off.md", "sources/index.md"} <= set(linking)
