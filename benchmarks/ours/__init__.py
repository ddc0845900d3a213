"""Our own contestants, in the peers' clothes: the same clock, the same report."""
