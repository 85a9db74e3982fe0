"""The levels that keep complete answers."""
