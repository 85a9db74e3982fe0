"""The AI cost optimizer: a gateway that buys each answer at the lowest price that keeps its quality."""
