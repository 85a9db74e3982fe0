"""The HTTP interface: thin, decode, call, encode. `routes` holds the whole API on one screen."""
