"""Products, facts, channel specs and variants."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from cdp import pipeline
from cdp.admin.readonly import ReadOnlyAdmin
from cdp.models import ChannelSpec, Fact, Product, ProductImage, Variant


class FactInline(TabularInline):
    model = Fact
    extra = 0
    can_delete = False
    fields = readonly_fields = ("key", "type", "value", "version", "origin", "superseded_at")

    def has_add_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        return False


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    list_display = ("sku", "title", "category", "brand", "in_stock", "channels")
    list_filter = ("in_stock", "replenishable")
    search_fields = ("sku", "title", "category", "brand")
    inlines = (FactInline,)
    readonly_fields = ("picture",)

    @admin.display(description="Picture")
    def picture(self, row: Product) -> str:
        """How it is described: the numbers themselves say nothing to people."""
        known = ProductImage.objects.filter(product=row).first()
        return f"described by {len(known.vector)} numbers" if known else "–"


@admin.register(ChannelSpec)
class ChannelSpecAdmin(ModelAdmin):
    list_display = ("channel", "locale", "max_characters", "format")

    def save_model(self, request: HttpRequest, obj: ChannelSpec, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        pipeline.spec_changed()


@admin.register(Variant)
class VariantAdmin(ReadOnlyAdmin):
    list_display = ("product", "channel", "locale", "text", "problems")
    list_filter = ("channel", "locale")
    list_select_related = ("product",)
