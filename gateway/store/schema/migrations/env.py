"""What Alembic runs: upgrades on the connection that `store.database` hands over, never its own.

Batch mode is on, because SQLite cannot alter most things in place. One transaction per run: a
migration that fails leaves the database as it was.
"""

from alembic import context

from gateway.store.schema.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
