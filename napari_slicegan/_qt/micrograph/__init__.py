"""First panel: images become training images."""
