"""Records of people, how alike two of them are, and the trained matcher that says so."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from cdp.domain.records import FIELDS
from cdp.models.identity import Assertion, Identifier


class Record(models.Model):
    """The cleaned fields of a record (name, birth date, address); its identifier is their hash."""

    identifier = models.OneToOneField(
        Identifier, models.CASCADE, primary_key=True, related_name="record"
    )
    fields = models.JSONField()
    matcher = models.BigIntegerField(
        null=True, help_text="whose blocks it is in; null: not matched with others yet"
    )

    def __str__(self) -> str:
        return ", ".join(self.fields[name] for name in FIELDS if name in self.fields)


class Block(models.Model):
    """The records that share a blocking key (hashed). One with more than
    ``domain.matching.blocking.MOST`` names nobody, is closed, and stays as it is."""

    key = models.BigIntegerField(primary_key=True)
    records = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return f"{self.key}"


class MatcherStatus(models.TextChoices):
    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"


class Matcher(models.Model):
    """Trained match weights. From ``merge_at`` bits on two records join their customers; from
    ``review_at`` on a person is asked. ``report``: what training and matching found."""

    document = models.JSONField(help_text="fields, prior, m and u of every level, frequencies")
    status = models.CharField(
        max_length=10, choices=MatcherStatus.choices, default=MatcherStatus.CANDIDATE
    )
    merge_at = models.FloatField()
    review_at = models.FloatField()
    records = models.PositiveIntegerField(help_text="that it was trained on")
    backend = models.CharField(max_length=10)
    actor = models.CharField(max_length=150)
    trained_at = models.DateTimeField(db_default=Now())
    adopted_at = models.DateTimeField(null=True, blank=True)
    adopted_by = models.CharField(max_length=150, blank=True, db_default="")
    report = models.JSONField(db_default={}, blank=True)
    doing = models.CharField(
        max_length=30, blank=True, db_default="", help_text="what a worker was asked to do with it"
    )
    error = models.TextField(blank=True, db_default="")

    class Meta:
        permissions = [("adopt_matcher", "May adopt a matcher and move its thresholds")]
        constraints = [
            models.UniqueConstraint(
                fields=["status"], condition=models.Q(status="active"), name="one_active_matcher"
            ),
            models.CheckConstraint(
                condition=models.Q(review_at__lte=models.F("merge_at")), name="matcher_thresholds"
            ),
        ]

    def __str__(self) -> str:
        return f"matcher {self.pk} ({self.status})"


class Match(models.Model):
    """Two records and their weight under the active matcher (``a`` has the smaller id).

    ``verdict``: *linked*, *review* (below ``merge_at``), or why it joins nobody
    (``domain.partition.Refusal``).
    """

    a = models.ForeignKey(Record, models.CASCADE, related_name="matches_up")
    b = models.ForeignKey(Record, models.CASCADE, related_name="matches_down")
    weight = models.FloatField(help_text="bits")
    verdict = models.CharField(max_length=40, db_default="")

    class Meta:
        verbose_name_plural = "matches"
        constraints = [
            models.UniqueConstraint(fields=["a", "b"], name="match_pair"),
            models.CheckConstraint(condition=models.Q(a__lt=models.F("b")), name="match_order"),
        ]
        indexes = [
            models.Index(
                fields=["-weight", "id"], condition=models.Q(verdict__in=("review", "unlike")),
                name="match_review",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.a_id}–{self.b_id}: {self.weight:.1f} bits"


class Label(models.Model):
    """A reviewer's verdict on two records: an assertion, and a pair to measure matchers by.

    Who said it and when stands in the assertion; a label counts while that is live.
    """

    a = models.ForeignKey(Record, models.CASCADE, related_name="labels_up")
    b = models.ForeignKey(Record, models.CASCADE, related_name="labels_down")
    same = models.BooleanField()
    weight = models.FloatField(help_text="bits, as it was shown")
    shown_as = models.CharField(max_length=40, help_text="the verdict that it had then")
    assertion = models.OneToOneField(Assertion, models.CASCADE, related_name="label")

    def __str__(self) -> str:
        return f"{self.a_id}–{self.b_id}: {'same' if self.same else 'different'}"
