"""Pure translation between vendors' bytes and the domain's words."""
