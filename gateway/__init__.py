"""Tallygate: a self-hosted gateway that sells and meters access to large language models."""

__version__ = "0.1.0"
