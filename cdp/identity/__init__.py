"""The partition applied to PostgreSQL under locks."""
