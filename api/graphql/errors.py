"""Errors of GraphQL answers: ours carry their code, everything else says nothing of our insides."""

from __future__ import annotations

import logging

from django.db import InterfaceError, OperationalError
from graphql import GraphQLError
from psycopg_pool import PoolTimeout

from cdp.errors import CDPError

log = logging.getLogger(__name__)


def mapped(error: GraphQLError) -> GraphQLError:
    """The same error with ``extensions.code`` and ``extensions.retryable``."""
    cause = error.original_error
    if cause is None:
        error.extensions = {"code": "bad_query", "retryable": False, **(error.extensions or {})}
        return error
    if isinstance(cause, CDPError):
        extensions = {"code": cause.code, "retryable": cause.retryable}
        message = cause.message
        if cause.field:
            extensions["field"] = cause.field
    elif isinstance(cause, OperationalError | InterfaceError | PoolTimeout):
        extensions = {"code": "store_unavailable", "retryable": True}
        message = "a store is not available"
    else:
        log.error("unexpected error in a resolver", exc_info=cause)
        extensions = {"code": "internal", "retryable": False}
        message = "internal error"
    return GraphQLError(
        message, nodes=error.nodes, source=error.source, positions=error.positions,
        path=error.path, extensions=extensions,
    )  # fmt: skip
