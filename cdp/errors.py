"""The one error type of the project; entry points map it to their protocol once, at the edge."""

from __future__ import annotations


class CDPError(Exception):
    """A failure with a stable machine-readable code.

    ``code`` is snake_case and part of the API; ``retryable`` says whether the same call may
    succeed later without being changed; ``field`` names the input at fault, when there is one.
    """

    def __init__(
        self, code: str, message: str, *, retryable: bool = False, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.field = field

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.code}: {self.message}{where}"
