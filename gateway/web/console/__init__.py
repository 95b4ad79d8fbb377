"""The console: pages rendered on the server, which work without a script and from a keyboard."""
