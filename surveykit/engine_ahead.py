"""The engine, imported by the process that workers are forked from (`processes.import_ahead`). It stands beside the engine, so
that what goes wrong is met here."""

import gc
from contextlib import suppress

gc.disable()
with suppress(Exception):  # a worker meets it again, and can say what is wrong
    import surveykit.engine.measure  # noqa: F401
gc.freeze()  # no worker looks for garbage in it
gc.enable()
