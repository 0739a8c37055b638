"""Versions of the identity rules: drafted, simulated, applied, and kept."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class RuleSetStatus(models.TextChoices):
    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"
    DISCARDED = "discarded"


class RuleSet(models.Model):
    """One version of the rules. Before the first is applied the built-in rules hold.

    ``simulation`` says what applying it would have changed when it was simulated, ``outcome`` what
    applying it did; ``as_of`` is the moment by which its links expire (see ``domain.rules``).
    """

    document = models.JSONField(help_text="kinds, blocked values and patterns")
    status = models.CharField(
        max_length=10, choices=RuleSetStatus.choices, default=RuleSetStatus.DRAFT
    )
    actor = models.CharField(max_length=150)
    reason = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    simulation = models.JSONField(null=True, blank=True)
    simulated_at = models.DateTimeField(null=True, blank=True)
    outcome = models.JSONField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    applied_by = models.CharField(max_length=150, blank=True, db_default="")
    as_of = models.DateTimeField(null=True, blank=True)
    doing = models.CharField(
        max_length=10, blank=True, db_default="", help_text="what a worker was asked to do with it"
    )
    error = models.TextField(blank=True, db_default="")

    class Meta:
        permissions = [("change_rules", "May simulate, apply and discard identity rules")]
        constraints = [
            models.UniqueConstraint(
                fields=["status"], condition=models.Q(status="active"), name="one_active_rule_set"
            )
        ]

    def __str__(self) -> str:
        return f"rules {self.pk} ({self.status})"
