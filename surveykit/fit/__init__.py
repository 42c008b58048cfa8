"""Will it fit: which methods can be trained in a given memory, ranked with the survey's evidence beside them. Pure: no torch."""
