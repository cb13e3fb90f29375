"""Volumes of any size: plan, tiles, edits, streaming, lazy arrays, clusters."""
