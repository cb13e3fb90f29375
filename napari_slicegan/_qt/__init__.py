"""The window: panels that call the engine. Nothing outside of here imports it."""
