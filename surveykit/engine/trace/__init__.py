"""What training and inference cost, traced without weights: memory, backward, FLOPs."""
