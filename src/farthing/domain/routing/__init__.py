"""Strategies that order candidate models for a prompt."""
