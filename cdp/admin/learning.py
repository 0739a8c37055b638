"""Snapshots, artifacts and slates."""

from __future__ import annotations

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import action

from cdp import pipeline
from cdp.admin import curves
from cdp.admin.deciding import ReasonForm
from cdp.admin.readonly import ReadOnlyAdmin, as_json
from cdp.models import Artifact, Slate, Snapshot
from cdp.selectors.slates import served_before, serving_artifact


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
        "took",
        "created_at",
    )
    list_filter = ("status", "model")
    exclude = ("metrics", "parameters", "curve", "cost", "seconds")
    readonly_fields = ("took", "training", "by_group", "spent", "measured", "settings_used")
    actions_list = ("roll_back",)

    @action(description="Roll back", url_path="roll-back", permissions=["roll_back"])
    def roll_back(self, request: HttpRequest) -> HttpResponse:
        """Ask first; then the artifact serves again that served before."""
        back, before = reverse("admin:cdp_artifact_changelist"), served_before()
        if before is None:
            self.message_user(request, "nothing served before", messages.WARNING)
            return HttpResponseRedirect(back)
        form = ReasonForm(request.POST or None)
        if form.is_valid():
            row = pipeline.roll_back(request.user.get_username(), form.cleaned_data["reason"])
            self.message_user(request, f"serving: {row}", messages.SUCCESS)
            return HttpResponseRedirect(back)
        about = f"{before} will serve again; {serving_artifact()} will be refused with your reason."
        context = self.admin_site.each_context(request) | {
            "title": "Roll back", "about": about, "verb": "Roll back", "form": form, "back": back,
            "shown": curves.groups(before.metrics),
        }  # fmt: skip
        return render(request, "admin/cdp/adopt.html", context)

    def has_roll_back_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("cdp.change_artifact")

    @admin.display(description="Seconds", ordering="seconds")
    def took(self, row: Artifact) -> str:
        return f"{row.seconds:.1f}"

    @admin.display(description="Training")
    def training(self, row: Artifact) -> SafeString:
        return curves.training(row.curve)

    @admin.display(description="Recall by group")
    def by_group(self, row: Artifact) -> SafeString:
        return curves.groups(row.metrics)

    @admin.display(description="Cost")
    def spent(self, row: Artifact) -> str:
        said = {
            "cpu_seconds": "{:.1f} processor seconds", "peak_mb": "{:.0f} MB at most",
            "energy_wh": "about {:.3f} Wh",
        }  # fmt: skip
        return ", ".join(
            text.format(row.cost[name]) for name, text in said.items() if name in row.cost
        )

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
