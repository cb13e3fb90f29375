"""Second panel: a run, its settings and its curves."""
