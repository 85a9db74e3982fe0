"""Questions answered off the request path: savings, forecasts, experiments, learning."""
