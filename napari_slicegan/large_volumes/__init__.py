"""Volumes beyond the memory: streamed, on a cluster, or made where looked at."""
