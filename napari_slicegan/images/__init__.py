"""Reading images and preparing them: what ``micrograph.py`` is made of."""
