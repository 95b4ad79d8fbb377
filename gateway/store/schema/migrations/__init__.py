"""Alembic's migrations: `env.py` runs them, `versions/` holds one numbered file a change."""
