"""Django admin, a file an aggregate; imported here so that Django finds it."""

from cdp.admin import catalogue, consistency, customers, events, learning, matching, rules, sources

__all__ = [
    "catalogue",
    "consistency",
    "customers",
    "events",
    "learning",
    "matching",
    "rules",
    "sources",
]
