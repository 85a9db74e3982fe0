"""What recorded outcomes teach: fitting what routes by learning."""
