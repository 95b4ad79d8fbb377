"""Usage values and token counts."""
