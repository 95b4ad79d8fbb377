# Compiled: every stream is handed over here.
