"""What products can be searched by."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from pgvector.django import VectorField

from cdp.models.catalogue import Product


class ProductText(models.Model):
    """A product's words and their vector, by one encoder; behind the catalogue until a worker read it."""

    product = models.OneToOneField(
        Product, models.CASCADE, primary_key=True, related_name="searched_by"
    )
    words = models.TextField()
    encoder = models.CharField(max_length=64, help_text="which encoder, by the digest of its name")
    vector = VectorField()

    class Meta:
        indexes = [GinIndex(SearchVector("words", config="simple"), name="product_words")]

    def __str__(self) -> str:
        return f"words of {self.product_id}"
