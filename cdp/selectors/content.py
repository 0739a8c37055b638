"""The text of a product on a channel: the stored variant while its facts hold, else the template."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cdp.domain.factcheck import Problem, check
from cdp.domain.facts import FactValue, Rendered, render
from cdp.errors import CDPError
from cdp.models import ChannelSpec, Fact, Variant


@dataclass(frozen=True)
class ServedContent:
    """A text with the locale asked for, the locale given, and where it came from."""

    text: str
    format: str
    requested_locale: str
    locale: str
    origin: str
    facts: dict[str, dict[str, Any]]


FALLBACK_LOCALE = "en"


def specs_for(asked: Iterable[tuple[str, str]]) -> dict[tuple[str, str], ChannelSpec]:
    """For each (channel, locale): the spec in that locale, its language, or English, in that order."""
    wanted = set(asked)
    rows = ChannelSpec.objects.filter(channel__in={channel for channel, _ in wanted})
    found = {(row.channel, row.locale): row for row in rows}
    chosen: dict[tuple[str, str], ChannelSpec] = {}
    for channel, locale in wanted:
        language = locale.replace("-", "_").split("_")[0]
        for name in (locale, language, FALLBACK_LOCALE):
            if (channel, name) in found:
                chosen[channel, locale] = found[channel, name]
                break
    return chosen


def fact_values(facts: Iterable[Fact]) -> dict[str, FactValue]:
    return {row.key: FactValue(row.key, row.type, row.value, row.version) for row in facts}


def compose(spec: ChannelSpec, facts: dict[str, FactValue]) -> tuple[Rendered, list[Problem]]:
    """The template's text for these facts, and what the fact check says of it."""
    made = render(spec.template, facts, spec.locale, spec.max_characters, spec.format)
    return made, check(made.text, facts, spec.locale, required=made.stated)


def variants_of(products: Iterable[int], channel: str, locale: str) -> dict[int, Variant]:
    rows = Variant.objects.filter(product_id__in=list(products), channel=channel, locale=locale)
    return {row.product_id: row for row in rows}


def is_stale(variant: Variant, spec: ChannelSpec, facts: dict[str, FactValue]) -> bool:
    """True when a fact that the text states, or the spec it was made under, has changed since."""
    return variant.spec_digest != spec.digest or any(
        key not in facts or facts[key].version != used["version"]
        for key, used in variant.facts.items()
    )


def content(
    spec: ChannelSpec, requested: str, facts: dict[str, FactValue], variant: Variant | None
) -> ServedContent:
    """What the channel is given. A stale or failing variant never is.

    Raises:
        CDPError: ``no_content`` when the template itself states nothing or fails the check.
    """
    if variant is not None and not variant.problems and not is_stale(variant, spec, facts):
        return ServedContent(
            variant.text, spec.format, requested, spec.locale, "variant", variant.facts
        )
    made, problems = compose(spec, facts)
    if not made.text or problems:
        raise CDPError("no_content", f"no sound text: {problems or 'facts missing'}")
    return ServedContent(made.text, spec.format, requested, spec.locale, "template", made.stated)
