"""Models of transformers without weights, and the places in them that recipes speak of."""
