"""Supervised work beside the requests, drained on stop."""
