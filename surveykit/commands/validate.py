"""`surveykit validate`: check every file of the catalog."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """No arguments of its own."""


def run(arguments: Namespace) -> int:
    from surveykit.api.making import validate

    catalog = validate(catalog=arguments.catalog)
    counts = {
        "methods": len(catalog.methods),
        "configurations": sum(1 for _ in catalog.configurations()),
        "models": len(catalog.models),
        "sources": len(catalog.sources),
        "printed cells": sum(claim.printed is not None for claim in catalog.claims),
        "papers": len(catalog.papers),
        "measurements": len(catalog.measurements),
    }
    print("valid: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    return 0
