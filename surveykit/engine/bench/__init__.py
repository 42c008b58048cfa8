"""What a cell of the bench runs: its texts, its training, its score."""
