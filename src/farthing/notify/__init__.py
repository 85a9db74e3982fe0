"""Channels that carry notices to people and programs."""
