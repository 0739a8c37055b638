"""What was served to whom, and how consistent that was."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now

from cdp.channels import Channel
from cdp.domain.consistency import DIMENSIONS
from cdp.models.identity import Identifier


class ExposureKind(models.TextChoices):
    PROFILE = "profile"
    SLATE = "slate"
    CONTENT = "content"


class Exposure(models.Model):
    """One thing served on one channel. ``customer_as_served`` is who we then took them for.

    ``detail`` by kind: slate ``{"items": [sku…], "artifact": id, "explored": [those of them that find
    something out]}``; content ``{"sku", "locale",
    "facts": {key: {"version", "value"}}}``; profile ``{"version", "traits": {key: value}}``.
    """

    kind = models.CharField(max_length=10, choices=ExposureKind.choices)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    identifier = models.ForeignKey(Identifier, models.CASCADE, null=True, related_name="exposures")
    customer_as_served = models.UUIDField(null=True)
    detail = models.JSONField()
    occurred_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["identifier", "occurred_at"], name="exposure_identifier"),
            models.Index(fields=["kind", "occurred_at"], name="exposure_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.channel}"


class ConsistencyReport(models.Model):
    """The shop's consistency in one window, against the same shop with each channel alone."""

    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    dimensions = models.JSONField()
    coverage = models.FloatField()
    score = models.FloatField(null=True, help_text="null when nothing could be measured")
    created_at = models.DateTimeField(db_default=Now())

    def rows(self) -> list[tuple[str, dict[str, Any]]]:
        """The dimensions in the order of the design (a jsonb object keeps none)."""
        return [(name, self.dimensions[name]) for name in DIMENSIONS if name in self.dimensions]

    def __str__(self) -> str:
        return f"consistency {self.created_at:%Y-%m-%d %H:%M}"
