"""Systems that make images: their sets, transform, monitor and pictures."""
