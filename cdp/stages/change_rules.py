"""Draft, simulate, apply or discard a version of the identity rules; re-evaluate all history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from cdp.domain.rules import Rules
from cdp.domain.rules_file import to_document, to_rules
from cdp.domain.soundness import storable
from cdp.errors import CDPError
from cdp.identity import arrays, comparison, history, ledger, logins, matching, stored
from cdp.identity.evaluate import Applied, evaluate_everything
from cdp.identity.evidence import Seen, upsert_identifiers
from cdp.identity.history import Advance, Reading
from cdp.identity.ledger import Cause, Entry
from cdp.identity.locks import change_rules_alone
from cdp.identity.records import write_records
from cdp.identity.subjects import Rehung, rehang_all
from cdp.models import RuleSet, RuleSetStatus, What
from cdp.selectors.matchers import active_matcher
from cdp.selectors.rules import active_rules, rules_of

SIMULATE, APPLY = "simulate", "apply"


@dataclass
class Reevaluated:
    """What a re-evaluation of all history changed, for the stages that follow."""

    applied: Applied = field(default_factory=Applied)
    rehung: list[Rehung] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


def draft_rules(document: Mapping[str, Any], actor: str, reason: str) -> RuleSet:
    """Keep a changed rule set, without any effect.

    Raises:
        CDPError: ``bad_rules`` naming the field; ``missing_reason``.
    """
    if not reason.strip() or not storable(reason):
        raise CDPError("missing_reason", "say why the rules change", field="reason")
    rules = to_rules(document)
    return RuleSet.objects.create(document=to_document(rules), actor=actor, reason=reason.strip())


def simulate_rules(number: int, advance: Advance) -> RuleSet:
    """Replay the real evidence under a draft and keep the report; nothing else is written.

    Raises:
        CDPError: ``no_such_rules``; ``not_a_draft``.
    """
    row = _draft(number)
    now = timezone.now()
    row.simulation = comparison.simulate(replace(rules_of(row), as_of=now), advance)
    row.simulated_at, row.as_of = now, now
    row.save(update_fields=["simulation", "simulated_at", "as_of"])
    return row


def asked(number: int, do: str) -> RuleSet:
    """Note that a worker shall do this with a draft.

    Raises:
        CDPError: ``no_such_rules``, ``not_a_draft``, ``not_simulated``, ``busy``.
    """
    row = _draft(number)
    if row.doing:
        raise CDPError("busy", f"rule set {number} is waiting for a worker to {row.doing} it")
    if do == APPLY and row.simulation is None:
        raise _not_simulated(number)
    row.doing, row.error = do, ""
    row.save(update_fields=["doing", "error"])
    return row


def failed(number: int, error: CDPError | None) -> None:
    """A worker is done with it: well, or with the error that people shall see."""
    RuleSet.objects.filter(pk=number).update(doing="", error=str(error) if error else "")


def discard_rules(number: int, actor: str) -> RuleSet:
    """
    Raises:
        CDPError: ``no_such_rules``; ``not_a_draft``.
    """
    row = _draft(number)
    row.status = RuleSetStatus.DISCARDED
    row.save(update_fields=["status"])
    return row


def apply_rules(number: int, actor: str, advance: Advance) -> Reevaluated:
    """Make a draft the rules that hold and re-evaluate everything, in the caller's transaction.

    Raises:
        CDPError: ``no_such_rules``; ``not_a_draft``; ``not_simulated``.
    """
    change_rules_alone()
    row = _draft(number)
    if row.simulation is None:
        raise _not_simulated(number)
    before = active_rules()
    if before.as_of is not None and row.as_of is not None and row.as_of < before.as_of:
        raise CDPError(
            "not_simulated", f"simulate rule set {number} again: links have expired since",
            field="rules",
        )  # fmt: skip
    RuleSet.objects.filter(status=RuleSetStatus.ACTIVE).update(status=RuleSetStatus.RETIRED)
    row.status, row.applied_at, row.applied_by = RuleSetStatus.ACTIVE, timezone.now(), actor
    row.save(update_fields=["status", "applied_at", "applied_by"])
    cause = Cause(actor, f"rules {number}")
    said = Entry(What.RULES, reason=f"{before.version} → {number}: {row.reason}")
    ledger.write([said], cause, str(number))
    rules = active_rules()
    done = _reevaluate(rules, cause, advance, reread=not rules.reads_like(before))
    row.outcome = done.report
    row.save(update_fields=["outcome"])
    return done


def expire_links(now: datetime, advance: Advance) -> Reevaluated | None:
    """Let links expire by this moment; None where the rules let none expire."""
    change_rules_alone()
    row = RuleSet.objects.filter(status=RuleSetStatus.ACTIVE).first()
    if row is None or not any(k.expires_after_days for k in rules_of(row).kinds.values()):
        return None
    row.as_of = now
    row.save(update_fields=["as_of"])
    return _reevaluate(active_rules(), Cause("sweep", "expiry"), advance, reread=False)


def rebuild_identity(actor: str, advance: Advance) -> Reevaluated:
    """Everything about identity anew from the events, under the rules that hold."""
    change_rules_alone()
    return _reevaluate(active_rules(), Cause(actor, "rebuild"), advance, reread=True)


def identity_differences(advance: Advance) -> dict[str, tuple[int, list[str]]]:
    """How what is stored differs from what the events say under the rules that hold."""
    return comparison.differences(active_rules(), advance)


def _locked(number: int) -> RuleSet | None:
    """
    Raises:
        CDPError: ``busy`` (retryable) while somebody simulates or applies it.
    """
    rows = RuleSet.objects.select_for_update(nowait=True, no_key=True)
    try:
        with transaction.atomic():
            return rows.filter(pk=number).first()
    except OperationalError as error:
        raise CDPError(
            "busy", f"somebody is at work on rule set {number}", retryable=True
        ) from error


def _not_simulated(number: int) -> CDPError:
    return CDPError(
        "not_simulated", f"simulate rule set {number} first: see what it changes", field="rules"
    )


def _draft(number: int) -> RuleSet:
    row = _locked(number)
    if row is None:
        raise CDPError("no_such_rules", f"there is no rule set {number}", field="rules")
    if row.status != RuleSetStatus.DRAFT:
        raise CDPError("not_a_draft", f"rule set {number} is {row.status}", field="rules")
    return row


def _reevaluate(rules: Rules, cause: Cause, advance: Advance, *, reread: bool) -> Reevaluated:
    before = comparison.stored_state()
    if reread:
        for chunk in history.readings(rules, advance):
            _write_readings([item for item in chunk if item.names.keys != item.stored], rules)
        history.write_links_anew()
        _match_anew()
    applied = evaluate_everything(rules, cause)
    if reread:
        logins.mark_anew()
    rehung = rehang_all(rules)
    after = comparison.stored_state()
    advance("customers", len(set(after.anchor.values())))
    report = comparison.report(before, after, stored.everything(rules))
    return Reevaluated(applied, rehung, report)


def _match_anew() -> None:
    """Records that only this reading found are matched when the others are."""
    matcher = active_matcher()
    if matcher is not None:
        matching.everything(matcher, keep=True)


def _write_readings(items: list[Reading], rules: Rules) -> None:
    """Give events the identifiers that these rules find in them."""
    if not items:
        return
    seen = [Seen(item.event, item.names.keys, item.at) for item in items]
    ids = upsert_identifiers(seen)
    read = [json.dumps(item.names.stored(rules.version)) for item in items]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE cdp_event e
            SET identifiers = t.ids::bigint[], parsed = e.parsed || t.read::jsonb
            FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS t(id, ids, read)
            WHERE e.id = t.id
            """,
            [
                arrays.ints(item.event for item in items),
                arrays.texts(arrays.ints(ids[key] for key in item.names.keys) for item in items),
                arrays.texts(read),
            ],
        )
    write_records(seen, ids, set(ids.values()))
