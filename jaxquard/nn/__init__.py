"""The network from scratch: initialisers, activations, layers, losses, models. Pure functions; imports jax only."""
