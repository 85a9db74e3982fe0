"""The HTTP interface: decode, call, encode."""
