"""Volumes, their files (TIFF, NPY, VTK, OME-Zarr and others) and their meshes."""
