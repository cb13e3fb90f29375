"""Third panel: volumes and images from a trained run, and their slices."""
