"""One comparison, rendered as text, figure, page and model card."""
