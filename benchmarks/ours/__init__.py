"""Our own contestants, with the clock and the report of the peers."""
