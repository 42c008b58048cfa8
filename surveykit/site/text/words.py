"""The site's words for what the database names by a key. A key without a word is shown as it is, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markupsafe import Markup

from surveykit.site.text.markdown import span

OUTCOMES = {
    "match": ("match", "The printed figure is our count at the printed rounding."),
    "fits_another_setup": ("fits another setup", "It differs from our count for the row's own configuration and equals the count of another one, which we name. That does not confirm it."),
    "inconsistent": ("inconsistent", "It differs, and does not match the count that the survey prints beside it."),
    "unresolved": ("unresolved", "It differs; we tried at least three other configurations, and none gives it."),
    "unexplained": ("unexplained", "It differs, and nobody has looked into it yet. The checks of this catalog then fail."),
    "not_measured": ("not measured", "There is no count to compare it with."),
}  # fmt: skip
"""Word and meaning of how a printed figure of Table 5 ended."""
VERDICTS = {
    "match": ("match", "Our figure, rounded like the printed one, equals it."),
    "within_range": ("within range", "Our figure is within the printed range."),
    "outside_range": ("outside range", "On the paper's own model, our figure is outside the printed range."),
    "partly": ("partly", "Only part of what is printed agrees with our measurement."),
    "differs": ("differs", "Our figure is not the printed one; the reason is given."),
    "predicted": ("predicted", "A prediction beside a printed figure, with its error; nothing is judged."),
    "not_comparable": ("not comparable", "There is nothing to judge; the reason is given."),
    "not_measured": ("not measured", "There is no measurement to compare it with."),
}
"""Word and meaning of each verdict of a cell."""
CAUSES = {
    "other_configuration": ("other hyper-parameters", "The same method with other hyper-parameters has the printed count."),
    "library_default": ("a library's default", "A library's default, which differs from the method's description, has the printed count."),
    "other_module_set": ("another set of modules", "The same edit on other modules of the model has the printed count."),
    "other_row": ("fits another method", "A configuration of another method has the printed count."),
    "stored_not_trained": ("stored parameters, not trained ones", "The printed figure counts stored parameters, not trained ones."),
    "other_model": ("another model", "The same configuration on another model gives the printed cell."),
    "truncated": ("cut off, not rounded", "The printed figure is our count cut off after its last place, not rounded."),
    "other_definition": ("another definition", "The source may define the column differently from us. That is an interpretation; no count shows it."),
    "source_inconsistent": ("figures that do not match each other", "Two figures of the survey do not match each other, or one seems to be in another unit."),
    "unresolved": ("unresolved", "None of our counts gives the printed figure; the attempts are listed."),
}  # fmt: skip
"""Word and meaning of each cause of a difference."""
FAMILIES = {
    "adapter": "Adapters",
    "soft_prompt": "Soft prompts",
    "other_additive": "Other additive methods",
    "selective": "Selective methods",
    "reparametrization": "Reparametrization-based methods",
    "hybrid": "Hybrid methods",
    "baseline": "Baseline",
}
IDEAS = {
    "low_rank": "low rank",
    "low_rank_start": "another start of a low-rank update",
    "low_rank_optimizer": "another optimizer of a low-rank update",
    "shared_factors": "factors shared by layers",
    "spectral": "spectra",
    "orthogonal": "orthogonal matrices",
    "structured": "structured matrices",
    "full_rank": "full rank",
    "scaling": "scaling",
    "representation": "edited representations",
    "adapter": "adapter",
    "mixture": "mixture of parts",
    "soft_prompt": "soft prompt",
    "prefix": "prefix",
    "side_network": "side network",
    "bias_or_norm": "biases or norms",
    "sparse": "sparse",
    "layers": "whole layers",
    "embedding": "embeddings",
    "quantized": "quantized base model",
    "memory_saving": "less memory in training",
    "baseline": "baseline",
}
"""What methods have in common, finer than families."""
TYPES = {"A": "additive", "S": "selective", "R": "reparametrization-based"}
OVERHEADS = {
    "none": "none",
    "ffn": "feed-forward",
    "linear": "linear layer",
    "gating": "gating",
    "input": "longer input",
    "decoder": "decoder",
}
COLUMNS = {
    "type": "Type",
    "disk": "Saves disk",
    "ram": "Saves RAM",
    "bp": "Saves backpropagation",
    "overhead": "Inference overhead",
    "trainable_percent": "Trainable parameters, %",
    "changed_percent": "Changed parameters, %",
    "under_1b": "Evaluated under 1 B parameters",
    "under_20b": "Evaluated under 20 B parameters",
    "over_20b": "Evaluated over 20 B parameters",
    "params_millions": "Parameters, millions",
    "params_percent": "Parameters, %",
}
SOURCES = {
    "lialin2023scaling": "table of the survey",
    "survey_text": "text of the survey",
    "paper": "the method's paper",
    "derived": "derived by us",
}
STATUSES = {"not_stated": "not stated", "not_applicable": "does not apply"}
BASES = {
    "paper": "the method's paper",
    "library_default": "a library's defaults",
    "survey_text": "the survey's text",
    "fitted": "chosen because its count equals a printed figure",
    "variant": "a variant that was tried",
}
RELATIONS = {
    "extends": ("extends", "is extended by"),
    "combines": ("combines", "is a part of"),
    "variant_of": ("is a variant of", "has the variant"),
    "initialised_by": ("is initialised by", "initialises"),
}
LIBRARIES = {
    "peft": "Hugging Face PEFT",
    "adapters": "adapters (AdapterHub)",
    "transformers": "Hugging Face Transformers",
    "repository": "Repository",
    "none": "No implementation found",
}
SYMBOLS = {
    "d": "width of the residual stream (d_model)",
    "I": "width of all queries of an attention, heads × width of a head",
    "Kv": "width of all keys, and of all values: I, unless several heads of queries share one of keys and values",
    "f": "width of the feed-forward (d_ff)",
    "H": "attention heads, of queries",
    "Le": "encoder layers, 0 without an encoder",
    "Ld": "decoder layers, 0 without a decoder",
    "V": "rows of the token embedding",
    "U": "buckets of the relative position bias, 0 if none",
    "G": "input matrices of a feed-forward: 2 if gated, else 1",
    "T": "token matrices: 1 if tied, else 2",
    "A": "attention modules: Le + 2 Ld, or Le or Ld with one stack only",
    "Ka": "kinds of attention: 3 with encoder and decoder, else 1",
    "F": "feed-forward modules, Le + Ld",
    "L": "norms, including those of embeddings: 2 Le + 3 Ld + 2, or 2 Le + 1 or 2 Ld + 1 with one stack only (4 Ld + 1 on Gemma 2)",
    "B": "bias entries in the linear layers of attention and feed-forward; 0 on T5 and Llama",
    "Bn": "bias entries in norms: L d, or 0 if they have none, as on T5",
    "N": "all parameters of the model",
}


def words(key: str, known: Mapping[str, str | tuple[str, str]]) -> str:
    """The word for a key, of words or of words with their meanings."""
    found = known.get(key, key.replace("_", " "))
    return found if isinstance(found, str) else found[0]


def yes_no(value: bool | None, otherwise: str = "not stated") -> Markup:
    """A tick as a word; the colour only repeats it."""
    if value is None:
        return span(otherwise, "absent")
    return span("yes", "yes") if value else span("no", "no")


def type_words(letters: str) -> str:
    """`AR` → `additive, reparametrization-based`."""
    if letters == "none":
        return "none: no subset of parameters is singled out"
    return ", ".join(TYPES.get(letter, letter) for letter in letters)


def overhead_words(canonical: str | None) -> str:
    if canonical is None:
        return "not stated"
    return " + ".join(words(kind, OVERHEADS) for kind in canonical.split("+"))


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = list(parts) or [""]
    return f"{', '.join(first)} and {last}" if first else last
