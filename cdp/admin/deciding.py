"""Pages on which an admin decides about identities: filled in, shown, then confirmed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from cdp import deciding
from cdp.admin.readonly import ReadOnlyAdmin, table
from cdp.errors import CDPError
from cdp.models import Assertion, Customer, Identifier
from cdp.selectors.decisions import Rehearsal

Decide = Callable[[str], Assertion]


class DecidingAdmin(ReadOnlyAdmin):
    """Pages with actions for those who may decide (named without a dot: unfold would look a
    dotted permission up in the database whenever Django starts)."""

    def has_decide_identity_permission(
        self, request: HttpRequest, object_id: str | int | None = None
    ) -> bool:
        return request.user.has_perm("cdp.decide_identity")


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Reason", max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="required; kept with the decision",
    )  # fmt: skip


class MergeForm(ReasonForm):
    other = forms.CharField(
        label="The other customer", max_length=40, widget=UnfoldAdminTextInputWidget(),
        help_text="its id, from the top of its page",
    )  # fmt: skip
    field_order = ("other", "reason")


class SplitForm(ReasonForm):
    leaving = forms.TypedMultipleChoiceField(
        label="Who leaves", coerce=int, widget=forms.CheckboxSelectMultiple(),
        help_text="these are another person than the rest, whatever is seen later",
    )  # fmt: skip
    field_order = ("leaving", "reason")

    def __init__(self, customer: Customer, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        rows = Identifier.objects.filter(customer=customer, shared=False)
        field = self.fields["leaving"]
        assert isinstance(field, forms.TypedMultipleChoiceField)
        field.choices = [(row.pk, str(row)) for row in rows.order_by("kind", "value")]


def page(
    request: HttpRequest,
    model_admin: admin.ModelAdmin[Any],
    form: forms.Form,
    decide: Callable[[dict[str, Any], str], Assertion],
    *,
    title: str,
    about: str,
    verb: str,
    back: str,
) -> HttpResponse:
    """Show what a decision would change; take it only when exactly that was confirmed."""
    fault, shown, token = "", "", ""
    if request.method == "POST" and form.is_valid():
        actor = request.user.get_username()
        try:
            found = deciding.rehearse(lambda: decide(form.cleaned_data, actor))
            token, shown = _token(found), preview(found)
            if "do" in request.POST and request.POST.get("confirmed") == token:
                word = decide(form.cleaned_data, actor)
                model_admin.log_change(request, word, f"{verb}: {form.cleaned_data['reason']}")
                messages.success(request, f"{verb}: done (assertion {word.pk})")
                return HttpResponseRedirect(back)
            if "do" in request.POST:
                fault = "it has changed meanwhile: look again at what will change"
        except CDPError as error:
            fault = f"{error.message} ({error.code})"
    context = {
        **model_admin.admin_site.each_context(request), "title": title, "about": about,
        "form": form, "fault": fault, "preview": shown, "token": token, "verb": verb, "back": back,
    }  # fmt: skip
    return TemplateResponse(request, "admin/cdp/decide.html", context)


def preview(found: Rehearsal) -> SafeString:
    """The identifiers that move, and what an undo does not bring back."""
    rows: list[tuple[object, ...]] = [(m.identifier, m.old, m.new) for m in found.moves]
    rows += [(flip, "", "") for flip in found.flipped]
    rows += [(f"not exact: {text}", "", "") for text in found.surprises]
    if not rows:
        return SafeString("<p>no identifier moves</p>")
    return table(("identifier", "from customer", "to customer"), rows)


def _token(found: Rehearsal) -> str:
    return "|".join(f"{m.identifier}>{m.new}" for m in found.moves) or "nothing"


def customer_url(customer: Customer) -> str:
    return reverse("admin:cdp_customer_change", args=[customer.pk])
