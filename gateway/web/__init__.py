"""Floor 4: doors; each parses, calls one room and renders."""
