"""The demo: a coffee-and-bakery chain with eighteen months of history, the same for the same seed and day."""
