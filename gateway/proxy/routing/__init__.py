"""Where a request goes: policies, the health of targets and keys, and what follows a failure."""
