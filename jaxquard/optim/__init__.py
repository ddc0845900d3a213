"""SGD, momentum, Adam(W), Muon and schedules, in optax's (init, update) protocol. Imports jax only."""
