"""Memory of a training step as formulas in the dimensions of a model: read from one trace of a model whose sizes are told apart by their primes."""
