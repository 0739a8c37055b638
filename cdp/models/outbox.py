"""The follow-ups that commit together with their facts."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Topic(models.TextChoices):
    EVENTS = "events"
    GRAPH = "graph"
    RULES = "rules"
    RECORDS = "records"
    SLATES = "slates"
    SLATES_LATER = "slates_later"


class OutboxMessage(models.Model):
    """One unit of follow-up work; the row is deleted in the transaction that does the work."""

    topic = models.CharField(max_length=20, choices=Topic.choices)
    payload = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    available_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveIntegerField(db_default=0)
    parked_at = models.DateTimeField(null=True, blank=True, help_text="given up; try again by hand")
    last_error = models.TextField(db_default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["topic", "available_at", "id"], name="outbox_ready")]

    def __str__(self) -> str:
        return f"{self.topic} {self.pk}"
