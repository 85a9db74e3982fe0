"""What is learned from, and what was learned, in the database."""
