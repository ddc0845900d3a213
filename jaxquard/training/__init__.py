"""TrainState, the compiled steps, fit, evaluation: how a network learns. Prints nothing, writes nothing."""
