"""Sources, API keys and suppressions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from cdp.models import ApiKey, Source, Suppression
from cdp.stages.register import register_api_key, register_source


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    list_display = ("name", "channel", "enabled", "created_at")
    list_filter = ("channel", "enabled")
    actions = ("renew",)

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made, key = register_source(obj.name, obj.channel)
        obj.pk = made.pk
        messages.warning(request, f"Write key of {made.name}, shown this once: {key}")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Source | None = None
    ) -> tuple[str, ...]:
        return ("name", "channel") if obj else ()

    @admin.action(description="Renew the write key (the old one stops working)")
    def renew(self, request: HttpRequest, rows: QuerySet[Source]) -> None:
        for source in rows:
            _, key = register_source(source.name, source.channel)
            messages.warning(request, f"Write key of {source.name}, shown this once: {key}")


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    list_display = ("name", "channel", "scopes", "enabled", "created_at")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made, key = register_api_key(obj.name, obj.scopes, obj.channel)
        obj.pk = made.pk
        messages.warning(request, f"API key {made.name}, shown this once: {key}")


@admin.register(Suppression)
class SuppressionAdmin(ModelAdmin):
    list_display = ("kind", "value", "reason", "actor", "created_at")
    search_fields = ("value",)
