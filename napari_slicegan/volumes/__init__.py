"""Volumes and their files: TIFF, NPY, VTK, OME-Zarr."""
