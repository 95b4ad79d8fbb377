"""One file per kind of upstream: its address, its credentials, its requests, its errors."""
