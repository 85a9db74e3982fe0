"""The ledger in SQLite or PostgreSQL through SQLAlchemy Core."""
