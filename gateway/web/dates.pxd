# Compiled: the sweep of every deadline makes one.
