"""Products and their canonical facts."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from pgvector.django import VectorField

from cdp.channels import Channel


class Product(models.Model):
    sku = models.CharField(max_length=100, unique=True)
    title = models.CharField(max_length=2000)
    description = models.TextField(blank=True)
    category = models.CharField(max_length=200, blank=True, db_index=True)
    brand = models.CharField(max_length=200, blank=True)
    in_stock = models.BooleanField(default=True)
    replenishable = models.BooleanField(
        db_default=False, help_text="bought again and again: owning it is no reason to leave it out"
    )
    channels = ArrayField(
        models.CharField(max_length=10, choices=Channel.choices), default=list, blank=True,
        help_text="the channels that may show it; empty means every channel",
    )  # fmt: skip
    created_at = models.DateTimeField(db_default=Now())
    texts_due = models.BooleanField(
        db_default=True, help_text="facts changed since its texts were made"
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(texts_due=True), name="product_texts_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.title}"


class ProductImage(models.Model):
    """A picture as the shop's own image encoder describes it; all of one shop have one length."""

    product = models.OneToOneField(Product, models.CASCADE, primary_key=True, related_name="image")
    vector = VectorField()

    def __str__(self) -> str:
        return f"picture of {self.product_id}"


class FactType(models.TextChoices):
    TEXT = "text"
    MONEY = "money"
    QUANTITY = "quantity"


class Fact(models.Model):
    """One version of one fact. The current version is the one with no ``superseded_at``.

    ``value`` by type: text ``{"en": …, "zh": …}``; money ``{"amount": "9.99", "currency": "USD"}``;
    quantity ``{"number": "1.5", "unit": "kg"}``.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="facts")
    key = models.CharField(max_length=60)
    type = models.CharField(max_length=10, choices=FactType.choices)
    value = models.JSONField()
    version = models.PositiveIntegerField(default=1)
    origin = models.CharField(max_length=100, help_text="who says so")
    created_at = models.DateTimeField(db_default=Now())
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "key", "version"], name="fact_version"),
            models.UniqueConstraint(
                fields=["product", "key"],
                condition=models.Q(superseded_at__isnull=True),
                name="fact_current",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} v{self.version}"


class ChannelFact(models.Model):
    """What a channel's own records say of a product: the strangers that canonical facts replace.

    Never served; the baseline of the content consistency is computed from it.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="channel_facts")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    key = models.CharField(max_length=60)
    value = models.CharField(max_length=500)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "channel", "key"], name="channel_fact_of_product"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.key}"
