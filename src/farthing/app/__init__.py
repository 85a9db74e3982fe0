"""Introduces the parts to one another."""
