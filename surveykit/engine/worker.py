"""What the process imports that workers are made from (`processes.import_ahead`). Nobody looks for garbage in it again."""

import gc

gc.disable()
import surveykit.engine.measure  # noqa: E402, F401

gc.freeze()
gc.enable()
