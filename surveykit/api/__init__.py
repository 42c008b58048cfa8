"""The functions of `surveykit`, one for each command and of the same name.

A function takes the command's options as keyword arguments of the same names, and returns everything that it found as
frozen records. Options that only choose what is printed (`--format`, `--summary`, `--verdict` …) are the command's own.
Two arguments mean the same everywhere: `catalog` is the catalog's folder (without it SURVEYKIT_CATALOG, ./catalog, or the
bundled one), and `watch` is called with how many are done and how many there are, first with 0 done.

Functions print nothing, and import what is heavy when they are called. A new one is a function in a module here, its
name in `surveykit/__init__.py`, and a command that calls it; tests/test_functions.py holds them to this.
"""
