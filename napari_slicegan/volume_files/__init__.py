"""The formats of volumes on the disk, whole or as a pyramid of blocks."""
