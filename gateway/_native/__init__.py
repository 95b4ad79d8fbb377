"""Compiled modules land here: the meter (sse, jsonscan) and the token counter (tokens)."""
