"""Snapshots, trained artifacts, and what they computed for products and customers."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from pgvector.django import VectorField

from cdp.models.catalogue import Product
from cdp.models.identity import Customer


class Snapshot(models.Model):
    """A numbered, dated export of the interaction graph."""

    path = models.CharField(max_length=500)
    checksum = models.CharField(max_length=64)
    customers = models.PositiveIntegerField()
    products = models.PositiveIntegerField()
    interactions = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(
        null=True, help_text="when the run that learned from it ended; null: cut off, or going on"
    )

    def __str__(self) -> str:
        return f"snapshot {self.pk}"


class ArtifactStatus(models.TextChoices):
    REFUSED = "refused"
    SERVING = "serving"
    RETIRED = "retired"
    MEASURED = "measured"


class Artifact(models.Model):
    """A trained model (or a measured baseline) with its metrics on held-out time."""

    snapshot = models.ForeignKey(Snapshot, models.PROTECT, related_name="artifacts")
    model = models.CharField(max_length=40)
    parameters = models.JSONField()
    metrics = models.JSONField(help_text="recall@20, ndcg@20, coverage on held-out time")
    curve = models.JSONField(default=list, help_text="epoch, loss, held-out ndcg@20 of a training")
    cost = models.JSONField(
        default=dict, help_text="cpu_seconds, peak_mb of the process, energy_wh (estimated)"
    )
    path = models.CharField(max_length=500, blank=True)
    device = models.CharField(max_length=40)
    seconds = models.FloatField()
    status = models.CharField(max_length=10, choices=ArtifactStatus.choices)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    served_from = models.DateTimeField(null=True, help_text="when it last began to serve")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["status"], condition=models.Q(status="serving"), name="one_serving"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.pk} ({self.status})"


class ProductVector(models.Model):
    artifact = models.ForeignKey(Artifact, models.CASCADE, related_name="product_vectors")
    product = models.ForeignKey(Product, models.CASCADE, related_name="vectors")
    vector = VectorField()
    fold_weight = models.FloatField(help_text="how much a touch of it moves a customer's vector")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["artifact", "product"], name="product_vector")
        ]

    def __str__(self) -> str:
        return f"{self.artifact_id} {self.product_id}"


class CustomerVector(models.Model):
    artifact = models.ForeignKey(Artifact, models.CASCADE, related_name="customer_vectors")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="vectors")
    vector = VectorField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["artifact", "customer"], name="customer_vector")
        ]

    def __str__(self) -> str:
        return f"{self.artifact_id} {self.customer_id}"


class Slate(models.Model):
    """An ordered list of recommendations; the one with no customer is for strangers.

    ``items``: ``[{"sku", "score", "reason"}]``, best first.
    """

    artifact = models.ForeignKey(Artifact, models.CASCADE, related_name="slates")
    customer = models.ForeignKey(Customer, models.CASCADE, null=True, related_name="slates")
    items = models.JSONField()
    computed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["artifact", "customer"], name="slate_of", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.artifact_id} {self.customer_id or 'strangers'}"
