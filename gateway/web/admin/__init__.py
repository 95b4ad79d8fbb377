"""The administrator's door: one table of commands, and the Unix socket that serves it."""
