"""The bench: cells of a plan, their results as files, and what the results say. No torch here: that runs in surveykit.engine."""
