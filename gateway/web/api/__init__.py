"""The self-service API: what an account's pages do, as JSON for programs."""
