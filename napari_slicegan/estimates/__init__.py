"""What a run or a volume will need, before it starts."""
