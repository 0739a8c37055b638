"""A person's word on two identifiers: they are one customer, or never are; and its retraction."""

from __future__ import annotations

from django.utils import timezone

from cdp.domain.identifiers import Key
from cdp.errors import CDPError
from cdp.identity import ledger
from cdp.identity.evaluate import Applied, evaluate
from cdp.identity.ledger import Cause, Entry
from cdp.identity.locks import hold_rules, lock_components
from cdp.identity.subjects import Rehung, rehang_naming
from cdp.models import Assertion, Identifier, Verdict, What
from cdp.selectors.rules import active_rules


def assert_link(
    a: Key, b: Key, verdict: Verdict, actor: str, reason: str
) -> tuple[Assertion, Applied, list[Rehung]]:
    """Write an assertion and re-evaluate whom it concerns, in the caller's transaction.

    Raises:
        CDPError: ``missing_reason``, ``same_identifier``, ``no_such_identifier``, or
            ``contradiction`` when a live assertion on the same two says otherwise (or the same).
    """
    if not reason.strip():
        raise CDPError("missing_reason", "say why", field="reason")
    if a == b:
        raise CDPError("same_identifier", "an assertion needs two identifiers", field="b")
    hold_rules()
    rules = active_rules()
    first, second = sorted((_identifier(a, "a"), _identifier(b, "b")))
    components = lock_components([first, second])
    live = Assertion.objects.filter(a_id=first, b_id=second, retracted_at=None).first()
    if live is not None:
        raise CDPError(
            "contradiction",
            f"assertion {live.pk} ({live.verdict}, by {live.actor}) already speaks of them",
        )
    made = Assertion.objects.create(
        a_id=first, b_id=second, verdict=verdict, actor=actor, reason=reason.strip()
    )
    cause = Cause(actor, f"assertion {made.pk}")
    said = Entry(What.ASSERTED, first, second, reason=f"{verdict}: {made.reason}")
    ledger.write([said], cause, rules.version)
    applied = evaluate(components, rules, cause)
    return made, applied, rehang_naming(applied.flipped, rules)


def retract(assertion: int, actor: str, reason: str) -> tuple[Assertion, Applied, list[Rehung]]:
    """Take an assertion back; customers and ids become what they are without it.

    Raises:
        CDPError: ``missing_reason``, ``no_such_assertion`` or ``already_retracted``.
    """
    if not reason.strip():
        raise CDPError("missing_reason", "say why", field="reason")
    row = Assertion.objects.filter(pk=assertion).first()
    if row is None:
        raise CDPError("no_such_assertion", f"there is no assertion {assertion}", field="assertion")
    hold_rules()
    rules = active_rules()
    components = lock_components([row.a_id, row.b_id])
    row = Assertion.objects.select_for_update().get(pk=assertion)
    if row.retracted_at is not None:
        raise CDPError("already_retracted", f"assertion {assertion} was retracted before")
    row.retracted_at, row.retracted_by, row.retraction_reason = (
        timezone.now(),
        actor,
        reason.strip(),
    )
    row.save(update_fields=["retracted_at", "retracted_by", "retraction_reason"])
    cause = Cause(actor, f"retraction of assertion {assertion}")
    said = Entry(What.RETRACTED, row.a_id, row.b_id, reason=f"{row.verdict}: {reason.strip()}")
    ledger.write([said], cause, rules.version)
    applied = evaluate(components, rules, cause)
    return row, applied, rehang_naming(applied.flipped, rules)


def _identifier(key: Key, field: str) -> int:
    row = Identifier.objects.filter(kind=key.kind, value=key.value).first()
    if row is None:
        raise CDPError("no_such_identifier", f"{key.kind} {key.value} was never seen", field=field)
    return row.pk
