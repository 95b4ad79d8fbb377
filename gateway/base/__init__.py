"""Floor 0: settings, errors, money, time, ids and telemetry. Standard library and msgspec only."""
