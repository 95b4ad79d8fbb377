"""Bytes to and from providers: addresses, pooled connections, one attempt's byte flow."""
