"""The viewer and its layers: all that reads, makes and shows them."""
