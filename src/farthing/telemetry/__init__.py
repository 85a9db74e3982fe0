"""Listeners on finished requests: metrics and logs."""
