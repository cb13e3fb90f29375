"""From image files to training data."""
