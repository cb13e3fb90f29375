"""What ``game.py``, ``monitors.py`` and ``trainer.py`` are made of."""
