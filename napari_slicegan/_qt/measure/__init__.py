"""Fifth panel: a generated volume measured against a real one."""
