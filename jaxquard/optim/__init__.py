"""SGD, momentum, Adam(W) and schedules, in optax's (init, update) protocol. Imports jax only."""
