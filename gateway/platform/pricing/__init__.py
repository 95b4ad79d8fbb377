"""Prices and rating: what a token costs in each version of a model's price, and what a usage costs.

Pure values and functions; no database, no clock, no float.
"""
