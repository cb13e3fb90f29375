"""Fourth panel: sliders that change the material."""
