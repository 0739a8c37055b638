"""Events as they were received, the receipt of every message, and what was refused."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from cdp.channels import Channel
from cdp.models.identity import Identifier
from cdp.models.sources import Source


class Verb(models.TextChoices):
    """What a customer did to a product."""

    VIEWED = "viewed"
    ADDED = "added"
    PURCHASED = "purchased"
    RETURNED = "returned"
    SEARCHED = "searched"


class Event(models.Model):
    """An accepted message. It names the identifiers in it and hangs on one, the ``subject``."""

    source = models.ForeignKey(Source, models.PROTECT, related_name="events")
    message_id = models.CharField(max_length=100)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    type = models.CharField(max_length=10)
    name = models.CharField(max_length=200, blank=True)
    verb = models.CharField(max_length=10, choices=Verb.choices, blank=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    payload = models.JSONField()
    parsed = models.JSONField(help_text="keys, refused keys, traits and product lines found in it")
    identifiers = ArrayField(models.BigIntegerField(), db_default=[], blank=True)
    subject = models.ForeignKey(Identifier, models.PROTECT, null=True, related_name="events")
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "message_id"], name="event_message")
        ]
        indexes = [
            models.Index(fields=["subject", "-occurred_at", "-id"], name="event_timeline"),
            GinIndex(fields=["identifiers"], name="event_identifiers"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.name}".strip()


class DeviceLogin(models.Model):
    """A mark: from this event on the device is held by this person (an account), or by nobody.

    Derived from events that name both, or that say somebody logged out.
    """

    event = models.ForeignKey(Event, models.CASCADE, related_name="logins")
    # Without indexes of their own: the two below serve, and one on the person alone would tempt the
    # planner to look for a device's people among everybody's marks.
    device = models.ForeignKey(Identifier, models.CASCADE, related_name="logins", db_index=False)
    person = models.ForeignKey(
        Identifier, models.CASCADE, null=True, related_name="logged_in", db_index=False
    )
    occurred_at = models.DateTimeField()
    message_id = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event", "device"], name="device_login_of_event")
        ]
        indexes = [
            models.Index(fields=["device", "occurred_at", "message_id"], name="device_login_time"),
            models.Index(fields=["device", "person"], name="device_login_person"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id}: {self.person_id or 'nobody'}"


class Interaction(models.Model):
    """One product line of an event: an edge of the interaction graph."""

    event = models.ForeignKey(Event, models.CASCADE, related_name="interactions")
    line = models.PositiveSmallIntegerField()
    sku = models.CharField(max_length=100)
    verb = models.CharField(max_length=10, choices=Verb.choices)
    quantity = models.DecimalField(max_digits=38, decimal_places=4)
    amount = models.DecimalField(max_digits=38, decimal_places=4)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "line"], name="interaction_line")]
        indexes = [models.Index(fields=["sku"], name="interaction_sku")]

    def __str__(self) -> str:
        return f"{self.verb} {self.sku}"


class ReceiptStatus(models.TextChoices):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    SUPPRESSED = "suppressed"


class Receipt(models.Model):
    """What became of a message. A message sent again keeps its first outcome and is counted."""

    source = models.ForeignKey(Source, models.PROTECT, related_name="receipts")
    message_id = models.CharField(max_length=100)
    status = models.CharField(max_length=12, choices=ReceiptStatus.choices)
    reason = models.CharField(max_length=60, blank=True)
    received_at = models.DateTimeField()
    duplicates = models.PositiveIntegerField(db_default=0)
    last_duplicate_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "message_id"], name="receipt_message")
        ]
        indexes = [models.Index(fields=["message_id"], name="receipt_lookup")]

    def __str__(self) -> str:
        return f"{self.message_id}: {self.status}"


class QuarantinedEvent(models.Model):
    """A message that could not be accepted, kept as it came, with the reason."""

    source = models.ForeignKey(Source, models.PROTECT, related_name="quarantined")
    message_id = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=60, db_index=True)
    field = models.CharField(max_length=200, blank=True)
    detail = models.TextField()
    content_hash = models.CharField(
        max_length=64, help_text="of the message: the same refused twice is one row"
    )
    raw = models.TextField(help_text="the message as JSON text")
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "message_id", "content_hash"], name="quarantine_content"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason} {self.message_id}".strip()


class ImportRun(models.Model):
    """How far the import of one file has come, so that it can go on after an interruption."""

    source = models.ForeignKey(Source, models.CASCADE)
    fingerprint = models.CharField(max_length=64)
    rows_done = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "fingerprint"], name="import_of_file")
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.fingerprint[:12]}"


class Suppression(models.Model):
    """An identifier whose events are not taken any more."""

    kind = models.CharField(max_length=20)
    value = models.CharField(max_length=320)
    reason = models.TextField()
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "value"], name="suppression_identifier")
        ]
        indexes = [models.Index(fields=["value"], name="suppression_value")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"
