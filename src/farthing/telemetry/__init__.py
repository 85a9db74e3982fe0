"""Listeners on finished exchanges: metrics, traces, logs, live figures."""
