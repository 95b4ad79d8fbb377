# Compiled: every request passes here.
