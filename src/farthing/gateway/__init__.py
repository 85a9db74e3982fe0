"""The request path, from an admitted caller to one recorded exchange."""
