"""Training: trainer, adversarial step, averages, monitors, run folder, estimates."""
