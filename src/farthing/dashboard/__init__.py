"""The static page that shows what was spent and saved."""
