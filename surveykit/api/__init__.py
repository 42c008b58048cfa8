"""The functions of `surveykit`, one for each command and of the same name.

A function takes the command's options as keyword arguments of the same names, and returns its results as frozen records.
Options that only affect printing (`--format`, `--summary`, `--verdict` …) belong to the command alone. Two arguments mean the
same everywhere: `catalog` is the catalog's folder (default: SURVEYKIT_CATALOG, ./catalog, or the bundled one), and `watch` is
called with the number done and the total, first with 0 done.

Functions print nothing, and import heavy modules only when called. A new one needs a function in a module here, its name in
`surveykit/__init__.py`, and a command that calls it; tests/test_functions.py checks this.
"""
