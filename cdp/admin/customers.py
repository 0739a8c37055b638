"""Customers, identifiers and assertions."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, F, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from cdp.admin.readonly import ReadOnlyAdmin
from cdp.models import Assertion, Customer, Decision, Identifier
from cdp.selectors import consistency
from cdp.selectors.customers import identifiers_of, profiles_of, timeline
from cdp.selectors.decisions import decisions_of
from cdp.selectors.slates import slates_of


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> SafeString:
    if not rows:
        return SafeString("–")
    cells = format_html_join(
        "", "<th style='text-align:left;padding:2px 12px 2px 0'>{}</th>", [(h,) for h in head]
    )
    lines = [
        (format_html_join("", "<td style='padding:2px 12px 2px 0'>{}</td>", [(c,) for c in row]),)
        for row in rows
    ]
    return format_html(
        "<table><tr>{}</tr>{}</table>", cells, format_html_join("", "<tr>{}</tr>", lines)
    )


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "identifier_count", "name", "created_at")
    search_fields = ("public_id", "identifiers__value")
    search_help_text = "a customer id, or any identifier: e-mail, phone (+1206…), card, device …"
    fields = (
        "public_id", "created_at", "identifiers_table", "traits_table", "counters_table",
        "slate_table", "timeline_table", "consistency_table", "history_table",
    )  # fmt: skip
    readonly_fields = fields

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


@admin.register(Assertion)
class AssertionAdmin(ReadOnlyAdmin):
    list_display = ("verdict", "a", "b", "actor", "reason", "created_at", "retracted_at")
    list_filter = ("verdict",)
    list_select_related = ("a", "b")


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
