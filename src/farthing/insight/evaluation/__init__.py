"""How good a router is: scored on recorded outcomes that it has not seen, as the field publishes it."""
