"""The machine: devices, precision, memory, atomic files, processes."""
