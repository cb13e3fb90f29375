"""Training in several processes: what one process knows of the others."""
