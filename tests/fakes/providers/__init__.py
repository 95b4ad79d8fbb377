"""Providers on loopback that speak their own dialects, written by hand from the API references.

Nothing here uses the gateway's code: what it sends must be understood by a provider that knows
nothing of it, and what these send must reach a client whole. They are deterministic: what a request
holds decides the answer (see plan.py).
"""
