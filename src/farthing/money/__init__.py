"""What was held, spent and may still be spent."""
