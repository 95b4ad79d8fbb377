"""The shapes clients speak: which endpoints there are and how errors look in each."""
