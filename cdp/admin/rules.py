"""Versions of the identity rules: written, simulated, looked at, applied or discarded."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from cdp import changing
from cdp.admin.readonly import ReadOnlyAdmin, table
from cdp.domain import rules_file
from cdp.errors import CDPError
from cdp.models import RuleSet
from cdp.selectors.rules import active_rules, rules_of

FIGURES = (
    "customers_before", "customers_after", "merged", "split", "renamed", "turned_shared",
    "no_longer_shared", "moved", "appeared", "vanished",
)  # fmt: skip

ABOUT = {
    "simulate": "A worker replays all evidence under this draft and shows what it would change; nothing is changed.",
    "apply": "A worker makes this draft the rules that hold and judges all history by it. Applying the former rules again undoes it.",
    "discard": "The draft is kept for the record and cannot be applied any more.",
}


class RuleSetForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    rules = forms.CharField(
        label="The rules (YAML)",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 40, "style": "font-family:monospace"}),
        help_text="starts as the rules that hold now; docs/identity.md says what each field means",
    )

    class Meta:
        model = RuleSet
        fields = ("reason",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["rules"].initial = rules_file.write(active_rules())

    def clean_rules(self) -> dict[str, Any]:
        try:
            return rules_file.read(self.cleaned_data["rules"])
        except CDPError as error:
            raise forms.ValidationError(error.message) from error


@admin.register(RuleSet)
class RuleSetAdmin(ReadOnlyAdmin):
    list_display = ("number", "status", "doing", "reason", "actor", "created_at", "applied_at")
    list_filter = ("status",)
    actions_detail = ["simulate", "apply", "discard"]
    shown = ("status", "doing", "error", "reason", "actor", "created_at", "applied_at",
             "figures", "samples", "text")  # fmt: skip

    @admin.display(description="rules", ordering="pk")
    def number(self, row: RuleSet) -> str:
        return f"rules {row.pk}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_change_rules_permission(request)

    def has_change_rules_permission(
        self, request: HttpRequest, object_id: str | int | None = None
    ) -> bool:
        return request.user.has_perm("cdp.change_rules")

    def get_form(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        return RuleSetForm if obj is None else super().get_form(request, obj, **options)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("reason", "rules") if obj is None else self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.shown

    def save_model(self, request: HttpRequest, obj: RuleSet, form: Any, change: bool) -> None:
        actor = request.user.get_username()
        made = changing.draft_rules(form.cleaned_data["rules"], actor, obj.reason)
        changing.ask_rules(made.pk, "simulate", actor)
        obj.__dict__.update(made.__dict__)

    def response_add(self, request: HttpRequest, obj: RuleSet, *rest: Any) -> HttpResponse:
        messages.success(request, f"rules {obj.pk} are a draft; a worker is simulating them")
        return HttpResponseRedirect(reverse("admin:cdp_ruleset_change", args=[obj.pk]))

    @action(description="Simulate", url_path="simulate", permissions=["change_rules"])
    def simulate(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._ask(request, object_id, "simulate")

    @action(description="Apply", url_path="apply", permissions=["change_rules"])
    def apply(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._ask(request, object_id, "apply")

    @action(description="Discard", url_path="discard", permissions=["change_rules"])
    def discard(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._ask(request, object_id, "discard")

    def _ask(self, request: HttpRequest, number: int, do: str) -> HttpResponse:
        actor = request.user.get_username()
        back = reverse("admin:cdp_ruleset_change", args=[number])
        if request.method != "POST":  # a link alone changes nothing
            context = {
                **self.admin_site.each_context(request), "title": f"{do.capitalize()} rules {number}?",
                "about": ABOUT[do], "verb": do.capitalize(), "back": back,
            }  # fmt: skip
            return TemplateResponse(request, "admin/cdp/confirm.html", context)
        try:
            if do == "discard":
                changing.discard_rules(number, actor)
                messages.success(request, f"rules {number} are discarded")
            else:
                row = changing.ask_rules(number, do, actor)
                self.log_change(request, row, do)
                messages.success(request, f"a worker will {do} rules {number}; reload to see it")
        except CDPError as error:
            messages.error(request, f"{error.message} ({error.code})")
        return HttpResponseRedirect(back)

    @admin.display(description="What it changes")
    def figures(self, row: RuleSet) -> SafeString:
        simulated, done = row.simulation or {}, row.outcome or {}
        return table(
            ("", "simulated", "applied"),
            [
                (name.replace("_", " "), _shown(simulated, name), _shown(done, name))
                for name in FIGURES
            ],
        )

    @admin.display(description="Samples")
    def samples(self, row: RuleSet) -> SafeString:
        samples = (row.outcome or row.simulation or {}).get("samples", {})
        rows: list[tuple[object, ...]] = []
        rows += [
            ("merged", " + ".join(one["customers"]), " – ".join(one["path"]))
            for one in samples.get("merged", [])
        ]
        rows += [
            (
                "split",
                " / ".join(one["into"]),
                "; ".join(one["now_refused"]) or " – ".join(one["path"]),
            )
            for one in samples.get("split", [])
        ]
        rows += [
            (name.replace("_", " "), key, "")
            for name in ("turned_shared", "no_longer_shared")
            for key in samples.get(name, [])
        ]
        return table(("change", "customers (by their anchor)", "why"), rows)  # fmt: skip

    @admin.display(description="The rules")
    def text(self, row: RuleSet) -> SafeString:
        written = rules_file.write(rules_of(row))
        return format_html('<pre style="white-space:pre-wrap;max-width:60rem">{}</pre>', written)


def _shown(report: dict[str, Any], name: str) -> str:
    value = report.get(name, "–") if report else "–"
    if isinstance(value, dict):
        return ", ".join(f"{kind} {count}" for kind, count in value.items()) or "0"
    return str(value)
