"""What the computer has and lacks: devices, number formats, memory, disk, packages."""
