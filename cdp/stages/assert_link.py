"""A person's word on identifiers: they are one customer, or never are; and its retraction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils import timezone

from cdp.domain import partition as pure
from cdp.domain.identifiers import Key
from cdp.domain.rules import Rules
from cdp.domain.soundness import storable
from cdp.errors import CDPError
from cdp.identity import ledger, stored
from cdp.identity.evaluate import Applied, evaluate
from cdp.identity.ledger import Cause, Entry
from cdp.identity.locks import hold_rules, lock_components
from cdp.identity.subjects import Rehung, rehang_naming
from cdp.models import Assertion, Identifier, Verdict, What

MOST = 2000
LONGEST_REASON = 2000


@dataclass
class Decided:
    """The assertions made (or retracted) together, the first of which names them all."""

    words: list[Assertion] = field(default_factory=list)
    applied: Applied = field(default_factory=Applied)
    rehung: list[Rehung] = field(default_factory=list)


def assert_links(
    pairs: Sequence[tuple[Key, Key]], verdict: Verdict, actor: str, reason: str
) -> Decided:
    """Write assertions that belong together and re-evaluate whom they concern, in the caller's
    transaction.

    Raises:
        CDPError: ``missing_reason``, ``same_identifier``, ``no_such_identifier``, ``too_many``, or
            ``contradiction`` when live assertions say otherwise (or the same).
    """
    _need_reason(reason)
    if len(pairs) > MOST:
        raise CDPError("too_many", f"{len(pairs)} assertions at once; at most {MOST}", field="b")
    rules = hold_rules()
    wanted = sorted({_ordered(a, b) for a, b in pairs})
    components = lock_components({id_ for pair in wanted for id_ in pair})
    _refuse_known(wanted)
    made = Assertion.objects.bulk_create(
        Assertion(a_id=a, b_id=b, verdict=verdict, actor=actor, reason=reason.strip())
        for a, b in wanted
    )
    first = made[0]
    for word in made:
        word.together = first.pk
    Assertion.objects.bulk_update(made, ["together"])
    _refuse_contradictions(components, rules)
    cause = Cause(actor, f"assertion {first.pk}")
    ledger.write(_entries(What.ASSERTED, made, reason), cause, rules.version)
    applied = evaluate(components, rules, cause)
    return Decided(made, applied, rehang_naming(applied.flipped, rules))


def retract(assertion: int, actor: str, reason: str) -> Decided:
    """Take an assertion (and those made with it) back; all becomes what it is without them.

    Raises:
        CDPError: ``missing_reason``, ``no_such_assertion`` or ``already_retracted``.
    """
    _need_reason(reason)
    row = Assertion.objects.filter(pk=assertion).first()
    if row is None:
        raise CDPError("no_such_assertion", f"there is no assertion {assertion}", field="assertion")
    rules = hold_rules()
    group = Assertion.objects.filter(together=row.together)
    components = lock_components(
        {id_ for pair in group.values_list("a_id", "b_id") for id_ in pair}
    )
    words = list(group.filter(retracted_at=None).select_for_update().order_by("pk"))
    if not words:
        raise CDPError("already_retracted", f"assertion {assertion} was retracted before")
    group.filter(pk__in=[word.pk for word in words]).update(
        retracted_at=timezone.now(), retracted_by=actor, retraction_reason=reason.strip()
    )
    cause = Cause(actor, f"retraction of assertion {row.together}")
    ledger.write(_entries(What.RETRACTED, words, reason), cause, rules.version)
    applied = evaluate(components, rules, cause)
    return Decided(words, applied, rehang_naming(applied.flipped, rules))


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise CDPError("missing_reason", "say why", field="reason")
    if len(reason) > LONGEST_REASON or not storable(reason):
        raise CDPError(
            "bad_reason", f"at most {LONGEST_REASON} characters that can be stored", field="reason"
        )


def _entries(what: What, words: list[Assertion], reason: str) -> list[Entry]:
    return [Entry(what, w.a_id, w.b_id, reason=f"{w.verdict}: {reason.strip()}") for w in words]


def _ordered(a: Key, b: Key) -> tuple[int, int]:
    if a == b:
        raise CDPError("same_identifier", "an assertion needs two identifiers", field="b")
    first, second = sorted((_identifier(a, "a"), _identifier(b, "b")))
    return first, second


def _identifier(key: Key, name: str) -> int:
    row = Identifier.objects.filter(kind=key.kind, value=key.value).first()
    if row is None:
        raise CDPError("no_such_identifier", f"{key.kind} {key.value} was never seen", field=name)
    return row.pk


def _refuse_known(pairs: list[tuple[int, int]]) -> None:
    ends = Assertion.objects.filter(
        a_id__in=[a for a, _ in pairs], b_id__in=[b for _, b in pairs], retracted_at=None
    )
    wanted = set(pairs)
    for live in ends.order_by("pk"):
        if (live.a_id, live.b_id) in wanted:
            raise CDPError(
                "contradiction",
                f"assertion {live.pk} ({live.verdict}, by {live.actor}) already speaks of them",
            )


def _refuse_contradictions(components: set[int], rules: Rules) -> None:
    """Words that cannot all be kept: said before anything is decided by them."""
    evidence = stored.of_components(components, rules)
    clash = pure.contradiction([word for _, _, word in evidence.words])
    if clash is not None:
        a, b = clash.a, clash.b
        raise CDPError(
            "contradiction",
            f"assertions make {a.kind} {a.value} and {b.kind} {b.value} one customer, "
            "and another says that they never are",
        )
