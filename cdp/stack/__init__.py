"""The embedded servers: real PostgreSQL, a real Bolt graph server and a real Valkey from wheels."""
