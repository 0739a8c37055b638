"""Identifiers, the links between them, human assertions, and the customers derived from both."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Customer(models.Model):
    """A stable id. The primary key is that of the identifier it is anchored on.

    A row is never deleted by a merge: an absorbed customer's anchor belongs to its survivor, and
    following it (``anchor.customer``) is the redirect. A split gives the id back. Where rules took
    the anchor out of every event, ``successor`` leads to where most of its people went.
    """

    id = models.BigIntegerField(primary_key=True)
    public_id = models.UUIDField(unique=True)
    successor = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return str(self.public_id)


class Identifier(models.Model):
    """One normalised (kind, value). Events hang on it; it belongs to exactly one customer.

    ``component`` is the smallest identifier id of its evidence component; that row is the lock.
    ``shared`` identifiers (a kiosk, a till's e-mail) keep their events but join nobody.
    """

    kind = models.CharField(max_length=20)
    value = models.CharField(max_length=320)
    component = models.BigIntegerField(db_index=True)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, related_name="identifiers", db_constraint=False
    )
    shared = models.BooleanField(db_default=False)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(
        null=True, help_text="since when no event names it any more, under the rules that hold"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "value"], name="identifier_kind_value")
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class Link(models.Model):
    """Two identifiers seen together (``a`` is the one with the smaller id).

    ``verdict``: *linked*, or why it joins nobody (see ``domain.partition.Refusal``).
    """

    a = models.ForeignKey(Identifier, models.CASCADE, related_name="links_up")
    b = models.ForeignKey(Identifier, models.CASCADE, related_name="links_down")
    weight = models.FloatField(db_default=1.0)
    count = models.PositiveIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    verdict = models.CharField(max_length=40, db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["a", "b"], name="link_pair"),
            models.CheckConstraint(condition=models.Q(a__lt=models.F("b")), name="link_order"),
        ]

    def __str__(self) -> str:
        return f"{self.a_id}–{self.b_id}"


class Verdict(models.TextChoices):
    MUST_LINK = "must_link"
    CANNOT_LINK = "cannot_link"


class Assertion(models.Model):
    """A person's word on two identifiers; undone by retracting it, never by deleting it.

    ``together``: the first of those that were made in one decision and are retracted in one.
    """

    a = models.ForeignKey(Identifier, models.CASCADE, related_name="assertions_a")
    b = models.ForeignKey(Identifier, models.CASCADE, related_name="assertions_b")
    verdict = models.CharField(max_length=12, choices=Verdict.choices)
    actor = models.CharField(max_length=150)
    reason = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    retracted_at = models.DateTimeField(null=True, blank=True)
    retracted_by = models.CharField(max_length=150, blank=True, db_default="")
    retraction_reason = models.TextField(blank=True, db_default="")
    together = models.BigIntegerField(null=True, db_index=True)

    class Meta:
        permissions = [("decide_identity", "May merge and split customers and undo it")]
        constraints = [
            models.UniqueConstraint(
                fields=["a", "b"], condition=models.Q(retracted_at=None), name="assertion_live"
            )
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.a_id}–{self.b_id}"


class What(models.TextChoices):
    """What was decided."""

    LINKED = "linked"
    REFUSED = "refused"
    SHARED = "shared"
    UNSHARED = "unshared"
    MERGED = "merged"
    SPLIT = "split"
    ASSERTED = "asserted"
    RETRACTED = "retracted"
    GONE = "gone"
    RULES = "rules"


class Decision(models.Model):
    """The ledger, append-only: what was decided of which identifiers, by whom, why and when.

    ``a`` alone: it turned shared or not, or moved from ``old_customer`` to ``new_customer``
    (*merged*: the old customer was absorbed; *split*: it lives on). ``a`` and ``b``: their link
    counts (*linked*) or not (*refused*, with the reason), or somebody's word on them. ``event`` is
    one in which the two were seen together.
    """

    what = models.CharField(max_length=10, choices=What.choices)
    a = models.ForeignKey(Identifier, models.CASCADE, null=True, related_name="decisions")
    b = models.ForeignKey(Identifier, models.CASCADE, null=True, related_name="decisions_b")
    old_customer = models.BigIntegerField(null=True)
    new_customer = models.BigIntegerField(null=True)
    event = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=500)
    rules_version = models.CharField(max_length=20)
    actor = models.CharField(max_length=150)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["old_customer"], name="decision_old_customer"),
            models.Index(
                fields=["reason"], condition=~models.Q(reason="event"), name="decision_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.reason}"
