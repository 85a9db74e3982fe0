"""What Alembic runs: the connection is handed over, inside a transaction that its owner commits."""

from __future__ import annotations

from alembic import context

from farthing.store.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
