"""Measurements of the gateway and of its parts; nothing in `gateway` imports this."""
