"""One file a measure: which contestants meet, and what rows their outcomes come to."""
