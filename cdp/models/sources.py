"""Where events come from, and who may ask."""

from __future__ import annotations

import hashlib
import secrets

from django.contrib.postgres.fields import ArrayField
from django.db import models

from cdp.channels import Channel


def hash_key(key: str) -> str:
    """SHA-256 of a random 256-bit key: nothing slower is needed against guessing."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def new_key(prefix: str) -> str:
    return f"{prefix}_{secrets.token_urlsafe(32)}"


class Source(models.Model):
    """A sender of events on one channel; only the hash of its write key is kept."""

    name = models.SlugField(unique=True)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    write_key_hash = models.CharField(max_length=64, unique=True, editable=False)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.channel})"


class Scope(models.TextChoices):
    PROFILES_READ = "profiles:read"
    SLATES_READ = "slates:read"
    CONTENT_READ = "content:read"
    RECEIPTS_READ = "receipts:read"
    CONSISTENCY_READ = "consistency:read"
    CHANGES_READ = "changes:read"
    IDENTITY_READ = "identity:read"
    RULES_WRITE = "rules:write"


class ApiKey(models.Model):
    """A channel app's or integration's key for GraphQL, with the scopes it may use."""

    name = models.SlugField(unique=True)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=30, choices=Scope.choices))
    channel = models.CharField(max_length=10, choices=Channel.choices, blank=True)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
