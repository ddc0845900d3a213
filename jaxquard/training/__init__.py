"""Training: TrainState, the compiled steps, fit, evaluation. Nothing here prints or writes files."""
