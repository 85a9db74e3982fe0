"""What is foretold of each model for a prompt, from recorded outcomes: its quality and its cost."""
