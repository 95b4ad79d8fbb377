"""Revisions in order: the first four characters of a file's name are its revision id."""
