"""Customers, identifiers and assertions."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import action

from cdp import deciding as decisions
from cdp.admin import deciding
from cdp.admin.identity_graph import draw
from cdp.admin.readonly import ReadOnlyAdmin, table
from cdp.models import Assertion, Customer, Decision, Identifier
from cdp.selectors import consistency
from cdp.selectors.customers import identifiers_of, profiles_of, timeline
from cdp.selectors.decisions import decisions_of
from cdp.selectors.identity_graph import identity_graph
from cdp.selectors.rules import active_rules
from cdp.selectors.slates import slates_of


@admin.register(Customer)
class CustomerAdmin(deciding.DecidingAdmin):
    list_display = ("public_id", "identifier_count", "name", "created_at")
    search_fields = ("public_id", "identifiers__value")
    search_help_text = "a customer id, or any identifier: e-mail, phone (+1206…), card, device …"
    fields = (
        "public_id", "created_at", "graph", "identifiers_table", "traits_table", "counters_table",
        "slate_table", "timeline_table", "consistency_table", "history_table",
    )  # fmt: skip
    readonly_fields = fields
    actions_detail = ["merge_with", "split_off"]

    @action(description="Merge with…", url_path="merge", permissions=["decide_identity"])
    def merge_with(self, request: HttpRequest, object_id: int) -> HttpResponse:
        row = get_object_or_404(Customer, pk=object_id)
        return deciding.page(
            request, self, deciding.MergeForm(request.POST or None),
            lambda given, actor: decisions.merge_customers(
                str(row.public_id), given["other"], actor, given["reason"]
            ),
            title=f"Merge {row} with another customer", verb="Merge",
            about="Both become one customer, whatever else is seen; it can be undone.",
            back=deciding.customer_url(row),
        )  # fmt: skip

    @action(description="Split…", url_path="split", permissions=["decide_identity"])
    def split_off(self, request: HttpRequest, object_id: int) -> HttpResponse:
        row = get_object_or_404(Customer, pk=object_id)
        return deciding.page(
            request, self, deciding.SplitForm(row, request.POST or None),
            lambda given, actor: decisions.split_customer(
                str(row.public_id), given["leaving"], actor, given["reason"]
            ),
            title=f"Split {row}", verb="Split",
            about="Who leaves never comes back, whatever else is seen; it can be undone.",
            back=deciding.customer_url(row),
        )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        living = super().get_queryset(request).filter(identifiers__isnull=False)
        counted: QuerySet[Customer] = living.annotate(n=Count("identifiers", distinct=True))
        return counted.select_related("profile").order_by(F("n").desc(), "id")

    @admin.display(description="identifiers", ordering="n")
    def identifier_count(self, row: Customer) -> int:
        return int(row.n)  # type: ignore[attr-defined]

    @admin.display(description="name")
    def name(self, row: Customer) -> str:
        profile = profiles_of([row.id]).get(row.id)
        trait = (profile.traits if profile else {}).get("name")
        return str(trait["value"]) if trait else "–"

    @admin.display(description="Identity graph")
    def graph(self, row: Customer) -> SafeString:
        return draw(identity_graph(row.pk), active_rules().rank)

    @admin.display(description="Identifiers")
    def identifiers_table(self, row: Customer) -> SafeString:
        found = identifiers_of([row.id]).get(row.id, [])
        return table(
            ("kind", "value", "shared", "first seen", "last seen"),
            [
                (
                    i.kind,
                    i.value,
                    "shared" if i.shared else "",
                    _at(i.first_seen_at),
                    _at(i.last_seen_at),
                )
                for i in found
            ],
        )

    @admin.display(description="Traits")
    def traits_table(self, row: Customer) -> SafeString:
        profile = profiles_of([row.id]).get(row.id)
        traits = sorted((profile.traits if profile else {}).items())
        return table(
            ("trait", "value", "from", "channel", "at"),
            [
                (key, t["value"], t["source"], t["channel"], t["occurredAt"][:19])
                for key, t in traits
            ],
        )

    @admin.display(description="Counters")
    def counters_table(self, row: Customer) -> SafeString:
        profile = profiles_of([row.id]).get(row.id)
        counters = (profile.counters if profile else {}).items()
        return table(
            ("channel", "verb", "events", "quantity", "amount"),
            [
                (channel, verb, n["events"], n["quantity"], n["amount"])
                for channel, verbs in sorted(counters)
                for verb, n in sorted(verbs.items())
            ],
        )

    @admin.display(description="Recommendations")
    def slate_table(self, row: Customer) -> SafeString:
        slate = slates_of([row.id]).get(row.id)
        items = slate.items[:10] if slate else []
        return table(
            ("rank", "product", "score", "because"),
            [
                (n, i["sku"], round(i["score"], 3), i["reason"].get("text", ""))
                for n, i in enumerate(items, 1)
            ],
        )

    @admin.display(description="Timeline (latest 50)")
    def timeline_table(self, row: Customer) -> SafeString:
        return table(
            ("at", "channel", "event", "source"),
            [
                (_at(e.occurred_at), e.channel, f"{e.type} {e.name}", e.source.name)
                for e in timeline(row.id, 50).events
            ],
        )

    @admin.display(description="Consistency (last week)")
    def consistency_table(self, row: Customer) -> SafeString:
        scores = consistency.of_customer(row.id)
        return table(
            ("dimension", "score", "pairs", "differences"),
            [
                (name, f"{sum(p.score for p in pairs) / len(pairs):.3f}" if pairs else "–", len(pairs),
                 "; ".join(p.difference for p in pairs if p.difference)[:500])
                for name, pairs in scores.items()
            ],
        )  # fmt: skip

    @admin.display(description="Decisions on its identifiers (latest 50)")
    def history_table(self, row: Customer) -> SafeString:
        return table(
            ("at", "decision", "identifier", "with", "customers", "reason", "by"),
            [
                (_at(d.at), d.what, str(d.a or ""), str(d.b or ""), _move(d), d.reason, d.actor)
                for d in decisions_of(row.id, 50)
            ],
        )


@admin.register(Identifier)
class IdentifierAdmin(ReadOnlyAdmin):
    list_display = ("kind", "value", "customer", "shared", "first_seen_at", "last_seen_at")
    list_filter = ("kind", "shared")
    search_fields = ("value",)
    list_select_related = ("customer",)


class LiveFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("live", "live"), ("retracted", "retracted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Assertion]) -> QuerySet[Assertion]:
        if self.value() is None:
            return queryset
        return queryset.filter(retracted_at__isnull=self.value() == "live")


@admin.register(Assertion)
class AssertionAdmin(deciding.DecidingAdmin):
    list_display = ("verdict", "a", "b", "actor", "reason", "created_at", "retracted_at")
    list_filter = ("verdict", LiveFilter)
    list_select_related = ("a", "b")
    actions_detail = ["undo"]

    @action(description="Undo…", url_path="undo", permissions=["decide_identity"])
    def undo(self, request: HttpRequest, object_id: int) -> HttpResponse:
        row = get_object_or_404(Assertion, pk=object_id)
        return deciding.page(
            request, self, deciding.ReasonForm(request.POST or None),
            lambda given, actor: decisions.retract_assertion(row.pk, actor, given["reason"]),
            title=f"Undo assertion {row.pk}: {row.a} – {row.b}", verb="Undo",
            about="Everything becomes what it is without this word (and those said with it).",
            back=reverse("admin:cdp_assertion_change", args=[row.pk]),
        )  # fmt: skip


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ("at", "what", "a", "b", "customers", "reason", "actor", "rules_version")
    list_filter = ("what", "actor")
    search_fields = ("a__value", "b__value", "reason")
    list_select_related = ("a", "b")

    @admin.display(description="customers")
    def customers(self, row: Decision) -> str:
        return _move(row)


def _move(row: Decision) -> str:
    return f"{row.old_customer} → {row.new_customer}" if row.old_customer else ""


def _at(moment: object) -> str:
    return str(moment)[:19]
