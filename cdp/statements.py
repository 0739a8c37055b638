"""Statements of which a single event needs a dozen: in one round trip, or planned once.

Waiting for each answer and planning each statement cost more than the work itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection

# Beyond this many characters the work outweighs its planning, and a plan for the sizes at hand is
# worth more than one for any.
FEW = 2_000


def together(*statements: tuple[str, Sequence[Any]]) -> list[list[Any]]:
    """The rows of each statement, in order, in one round trip; each must return rows. Later
    statements cannot use what earlier ones found.

    In read committed every statement has its own look at the data: one that follows a lock sees
    what others committed while the lock was waited for. Needs parameters bound by the client, as
    Django does unless ``server_side_binding`` is set.
    """
    query = ";".join(sql for sql, _ in statements)
    with connection.cursor() as cursor:
        cursor.execute(query, [value for _, values in statements for value in values])
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
    return found


def execute(query: str, parameters: Sequence[str]) -> list[Any]:
    """One statement of text parameters (array literals, cast in the query), and its rows if it
    returns any; with few of them it is prepared: planned once a connection, for any values."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    few = sum(map(len, parameters)) < FEW
    factory = psycopg.Cursor if few else psycopg.ClientCursor
    with connection.wrap_database_errors, factory(connection.connection) as cursor:
        cursor.execute(query, parameters, prepare=few)
        return cursor.fetchall() if cursor.description else []
