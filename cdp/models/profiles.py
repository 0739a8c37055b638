"""What is known of a customer: a view folded from its identifiers' observations."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from cdp.models.events import Event
from cdp.models.identity import Customer, Identifier
from cdp.models.sources import Source


class TraitObservation(models.Model):
    """The winning value of one trait on one identifier, with where it comes from."""

    identifier = models.ForeignKey(Identifier, models.CASCADE, related_name="traits")
    key = models.CharField(max_length=100)
    value = models.JSONField()
    source = models.ForeignKey(Source, models.PROTECT)
    event = models.ForeignKey(Event, models.CASCADE)
    occurred_at = models.DateTimeField()
    message_id = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["identifier", "key"], name="trait_key")]

    def __str__(self) -> str:
        return self.key


class Counter(models.Model):
    """How often, how many and for how much an identifier did something on a channel."""

    identifier = models.ForeignKey(Identifier, models.CASCADE, related_name="counters")
    channel = models.CharField(max_length=10)
    verb = models.CharField(max_length=10)
    events = models.PositiveIntegerField()
    quantity = models.DecimalField(max_digits=38, decimal_places=4)
    amount = models.DecimalField(max_digits=38, decimal_places=4)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["identifier", "channel", "verb"], name="counter_key")
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.verb}"


class Profile(models.Model):
    """The folded view of one customer; rebuildable at any time.

    ``changed_xid`` is the transaction that last changed the row: readers of the change feed stop
    short of the oldest transaction still running, so that nothing can appear behind their cursor.
    """

    customer = models.OneToOneField(Customer, models.CASCADE, primary_key=True)
    traits = models.JSONField(db_default={})
    counters = models.JSONField(db_default={})
    version = models.PositiveIntegerField(db_default=1)
    absorbed = models.BooleanField(db_default=False)
    changed_xid = models.BigIntegerField(db_index=True)
    changed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.customer_id} v{self.version}"
