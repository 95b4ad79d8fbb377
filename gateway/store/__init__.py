"""Floor 1: the database and the secrets beside it."""
