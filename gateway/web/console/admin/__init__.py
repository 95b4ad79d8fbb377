"""The administration pages: every access is an audit row, and roles see what their work needs."""
