"""Matchers, and the queue of record pairs that wait for a person."""

from __future__ import annotations

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from cdp import changing, deciding
from cdp.admin import charts
from cdp.admin.deciding import DecidingAdmin
from cdp.admin.readonly import ReadOnlyAdmin, table
from cdp.domain.matching.weights import Weights
from cdp.domain.records import FIELDS
from cdp.errors import CDPError
from cdp.models import Label, Match, Matcher
from cdp.selectors import reviews
from cdp.selectors.matchers import active_matcher

CHANGES = ("customers_before", "customers_after", "merged", "split")
SKIPPED = 200
WHY = {
    "review": "Their weight alone is not enough to join them.",
    "unlike": "These two would be joined, but the other records of their customers do not agree.",
    "linked": "The matcher joined them.",
}


class ThresholdsForm(forms.Form):
    merge_at = forms.FloatField(
        label="Joins from (bits)", widget=UnfoldAdminTextInputWidget(),
        help_text="10 bits are odds of a thousand to one that two records are one person",
    )  # fmt: skip
    review_at = forms.FloatField(
        label="Asks a person from (bits)", widget=UnfoldAdminTextInputWidget(),
        help_text="4 bits are odds of sixteen to one",
    )  # fmt: skip


@admin.register(Matcher)
class MatcherAdmin(ReadOnlyAdmin):
    list_display = ("number", "status", "doing", "records", "merge_at", "review_at", "backend",
                    "actor", "trained_at", "adopted_at")  # fmt: skip
    list_filter = ("status",)
    fields = ("status", "doing", "error", "records", "merge_at", "review_at", "backend", "actor",
              "trained_at", "adopted_at", "adopted_by", "quality_table", "spread_chart",
              "levels_chart", "untaught", "changes")  # fmt: skip
    readonly_fields = fields
    actions_detail = ["adopt"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Matcher]:
        rows: QuerySet[Matcher] = super().get_queryset(request)
        return rows.defer("document")

    @admin.display(description="matcher", ordering="pk")
    def number(self, row: Matcher) -> str:
        return f"matcher {row.pk}"

    def has_adopt_matcher_permission(
        self, request: HttpRequest, object_id: str | int | None = None
    ) -> bool:
        return request.user.has_perm("cdp.adopt_matcher")

    @action(description="Adopt…", url_path="adopt", permissions=["adopt_matcher"])
    def adopt(self, request: HttpRequest, object_id: int) -> HttpResponse:
        row = get_object_or_404(Matcher, pk=object_id if str(object_id).isdecimal() else 0)
        back = reverse("admin:cdp_matcher_change", args=[object_id])
        form = ThresholdsForm(
            request.POST or None, initial={"merge_at": row.merge_at, "review_at": row.review_at}
        )
        if request.method == "POST" and form.is_valid():
            try:
                chosen = changing.Thresholds(**form.cleaned_data)
                changing.ask_matcher(row.pk, request.user.get_username(), chosen)
                self.log_change(request, row, f"adopt at {chosen.merge_at:g}/{chosen.review_at:g}")
                messages.success(request, f"a worker adopts matcher {row.pk}; reload to see it")
                return HttpResponseRedirect(back)
            except CDPError as error:
                form.add_error(error.field or None, error.message)
        context = {
            **self.admin_site.each_context(request), "title": f"Adopt matcher {row.pk}?", "form": form,
            "about": "A worker weighs every pair of records by this matcher and judges all customers "
                     "anew. Adopting the former one again undoes it; 'manage.py identity adopt none' does without.",
            "verb": "Adopt", "back": back, "shown": self.spread_chart(row),
        }  # fmt: skip
        return TemplateResponse(request, "admin/cdp/adopt.html", context)

    @admin.display(description="By people's labels")
    def quality_table(self, row: Matcher) -> SafeString:
        if row.status != "active":
            return SafeString("only the active matcher is measured")
        found = reviews.quality().items()
        return table(
            ("", ""), [(name.replace("_", " "), reviews.figure(value)) for name, value in found]
        )

    @admin.display(description="Weights of the pairs")
    def spread_chart(self, row: Matcher) -> SafeString:
        return charts.spread(row.report.get("spread", {}), row.merge_at, row.review_at)

    @admin.display(description="Weights of the levels")
    def levels_chart(self, row: Matcher) -> SafeString:
        return charts.levels(Weights.of(row.document))

    @admin.display(description="Levels without enough examples")
    def untaught(self, row: Matcher) -> str:
        return "; ".join(row.report.get("untaught", [])) or "–"

    @admin.display(description="What adopting it changed")
    def changes(self, row: Matcher) -> SafeString:
        found = row.report.get("changed")
        return table(("", ""), [(n.replace("_", " "), found[n]) for n in CHANGES] if found else [])


@admin.register(Match)
class MatchAdmin(DecidingAdmin):
    """The pairs that a matcher weighed; the queue is worked through on one page."""

    list_display = ("one", "other", "bits", "verdict")
    list_filter = ("verdict",)
    list_select_related = ("a", "b")
    ordering = ("-weight", "id")
    actions_list = ["review", "look_over"]

    @admin.display(description="one record")
    def one(self, row: Match) -> str:
        return str(row.a)

    @admin.display(description="the other")
    def other(self, row: Match) -> str:
        return str(row.b)

    @admin.display(description="bits", ordering="weight")
    def bits(self, row: Match) -> str:
        return f"{row.weight:.1f}"

    @action(description="Review what waits", url_path="review", permissions=["decide_identity"])
    def review(self, request: HttpRequest) -> HttpResponse:
        return self._queue(request, linked=False)

    @action(description="Check what was joined", url_path="check", permissions=["decide_identity"])
    def look_over(self, request: HttpRequest) -> HttpResponse:
        return self._queue(request, linked=True)

    def _queue(self, request: HttpRequest, *, linked: bool) -> HttpResponse:
        skipped = _numbers(request.GET.get("skip", ""))
        here = request.path
        if request.method == "POST":
            self._take(request, skipped)
            return HttpResponseRedirect(f"{here}?{urlencode({'skip': _listed(skipped)})}")
        number = reviews.sampled(skipped) if linked else reviews.waiting(skipped)
        found = reviews.review(number) if number is not None else None
        matcher = active_matcher()
        context = {
            **self.admin_site.each_context(request),
            "title": "Check what was joined" if linked else "Review",
            "found": found, "here": here, "skip": _listed(skipped), "skipped": len(skipped),
            "left": None if linked else reviews.backlog(), "matcher": matcher,
            "back": reverse("admin:cdp_match_changelist"),
            "undo": request.session.get("last_review"),
        }  # fmt: skip
        if found is not None and matcher is not None:
            context |= {
                "why": WHY.get(found.match.verdict, ""),
                "rows": _side_by_side(found), "sides": _sides(found),
                "waterfall": charts.waterfall(found.parts, matcher.merge_at, matcher.review_at),
            }  # fmt: skip
        return TemplateResponse(request, "admin/cdp/review.html", context)

    def _take(self, request: HttpRequest, skipped: list[int]) -> None:
        said, actor = request.POST.get("said"), request.user.get_username()
        number = _numbers(request.POST.get("match", ""))
        if said == "skip":
            skipped += number
            return
        try:
            if said == "undo":
                self._undo(request, actor)
            elif said in ("same", "different") and number:
                label = deciding.review(
                    number[0], said == "same", actor, request.POST.get("reason", "")
                )
                request.session["last_review"] = label.pk
                self.log_change(request, label.assertion, f"review: {said}")
                messages.success(request, f"{said}: kept (assertion {label.assertion_id})")
        except CDPError as error:
            messages.error(request, f"{error.message} ({error.code})")

    def _undo(self, request: HttpRequest, actor: str) -> None:
        label = Label.objects.filter(pk=request.session.pop("last_review", 0)).first()
        if label is None:
            raise CDPError("nothing_to_undo", "you decided nothing yet")
        word = deciding.retract_assertion(label.assertion_id, actor, "undone in the review")
        self.log_change(request, word, "review: undone")
        messages.success(request, f"undone (assertion {word.pk} is retracted)")


def _side_by_side(found: reviews.Review) -> list[tuple[str, str, str, str]]:
    """Each field of both records, and whether it is the same, other or missing on a side."""
    one, two = (side.fields for side in found.sides)
    rows = []
    for name in FIELDS:
        a, b = one.get(name, ""), two.get(name, "")
        if a or b:
            sign = "=" if a == b else "≠" if a and b else "·"
            rows.append((name.replace("_", " "), a or "–", sign, b or "–"))
    return rows


def _sides(found: reviews.Review) -> list[tuple[str, str]]:
    """The customer page of each side, and what else is known of it."""
    return [
        (
            reverse("admin:cdp_customer_change", args=[side.identifier.customer_id]),
            ", ".join(map(str, side.others)) or "no identifier but its records",
        )
        for side in found.sides
    ]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.isdecimal() and len(part) < 19][:SKIPPED]


def _listed(numbers: list[int]) -> str:
    return ",".join(map(str, numbers[-SKIPPED:]))
