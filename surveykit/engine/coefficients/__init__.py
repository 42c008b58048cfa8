"""Memory of a training step as formulas in the dimensions of a model: read from one trace of a model of telling sizes."""
