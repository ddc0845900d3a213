"""The fewest seconds from process start to 85.9, 88.87 and 94.0 % test accuracy: docs/SPEEDRUN.md has the rules."""
