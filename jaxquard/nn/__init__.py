"""The network from scratch: initialisers, activations, layers, losses, models. Pure functions of jax alone."""
