"""Snapshots, artifacts and slates."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from cdp.admin.readonly import ReadOnlyAdmin, as_json
from cdp.models import Artifact, Slate, Snapshot


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "model",
        "status",
        "recall",
        "ndcg",
        "coverage",
        "device",
        "seconds",
        "created_at",
    )
    list_filter = ("status", "model")
    exclude = ("metrics", "parameters")
    readonly_fields = ("measured", "settings_used")

    @admin.display(description="recall@20")
    def recall(self, row: Artifact) -> str:
        return _shown(row, "recall@20")

    @admin.display(description="ndcg@20")
    def ndcg(self, row: Artifact) -> str:
        return _shown(row, "ndcg@20")

    @admin.display(description="coverage@20")
    def coverage(self, row: Artifact) -> str:
        return _shown(row, "coverage@20")

    @admin.display(description="Metrics")
    def measured(self, row: Artifact) -> SafeString:
        return as_json(row.metrics)

    @admin.display(description="Parameters")
    def settings_used(self, row: Artifact) -> SafeString:
        return as_json(row.parameters)


def _shown(row: Artifact, name: str) -> str:
    value = row.metrics.get(name)
    return "–" if value is None else f"{value:.4f}"


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "customers", "products", "interactions", "checksum")


@admin.register(Slate)
class SlateAdmin(ReadOnlyAdmin):
    list_display = ("artifact", "customer", "computed_at")
    list_select_related = ("artifact", "customer")
