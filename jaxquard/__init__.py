"""Jaxquard: neural networks for small images, from scratch in pure JAX."""
