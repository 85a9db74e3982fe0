"""What another policy would have cost on the own ledger, and at what quality."""
