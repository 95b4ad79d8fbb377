"""Floor 3: the data plane, one file per phase of a request."""
