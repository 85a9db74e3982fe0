"""Upstream model vendors: where bytes go."""
