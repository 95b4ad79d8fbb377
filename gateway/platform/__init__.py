"""Floor 2: what the business knows; no HTTP here."""
