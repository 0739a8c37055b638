"""How each channel wants its texts, and the texts rendered for it."""

from __future__ import annotations

import hashlib

from django.db import models
from django.db.models.functions import Now

from cdp.channels import Channel
from cdp.models.catalogue import Product


class TextFormat(models.TextChoices):
    PLAIN = "plain"
    HTML = "html"


class ChannelSpec(models.Model):
    """A channel's rules for product text in one locale."""

    channel = models.CharField(max_length=10, choices=Channel.choices)
    locale = models.CharField(max_length=10)
    template = models.TextField(help_text="sentences with {fact} slots, one sentence a line")
    max_characters = models.PositiveIntegerField()
    format = models.CharField(max_length=10, choices=TextFormat.choices, default=TextFormat.PLAIN)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "locale"], name="spec_channel_locale")
        ]

    @property
    def digest(self) -> str:
        """Tells whether a text was made under these very rules."""
        rules = f"{self.template}\0{self.max_characters}\0{self.format}"
        return hashlib.sha256(rules.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"{self.channel} {self.locale}"


class Variant(models.Model):
    """A product's text for one channel and locale, with the fact versions it was made from."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="variants")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    locale = models.CharField(max_length=10)
    text = models.TextField()
    spec_digest = models.CharField(max_length=16)
    facts = models.JSONField(help_text="{fact key: {version, value as stated}}")
    problems = models.JSONField(help_text="what the fact check found; empty when it passed")
    rendered_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "channel", "locale"], name="variant_of_product"
            )
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.channel} {self.locale}"
