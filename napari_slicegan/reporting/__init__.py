"""What a comparison says, in words, figures and pages, and the proof of quality."""
