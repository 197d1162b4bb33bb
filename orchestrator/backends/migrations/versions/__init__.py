"""One step of the ledger's schema each."""
