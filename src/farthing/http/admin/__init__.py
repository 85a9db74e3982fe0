"""Administration over HTTP: tenants, teams, people, keys and budgets."""
