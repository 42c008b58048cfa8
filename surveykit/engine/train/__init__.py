"""Training for real: steps, what moved, and what is kept."""
