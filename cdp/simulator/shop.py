"""Set the sample shop up: sources, keys, catalogue, channel specs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cdp.domain.listing import Listing
from cdp.errors import CDPError
from cdp.models import ChannelSpec, Scope, Source
from cdp.simulator.catalogue import CATEGORIES, SPECS, channel_records, sample_products
from cdp.simulator.journeys import CHANNELS, Journeys, Message
from cdp.simulator.people import Town, sample_town
from cdp.stages.catalogue import write_channel_facts, write_products
from cdp.stages.register import register_api_key, register_source
from cdp.stages.render import make_due

PREFIX = "demo-"
SOURCES = (*CHANNELS, "crm")


@dataclass(frozen=True)
class Shop:
    town: Town
    catalogue: list[Listing]
    messages: list[Message]
    write_keys: dict[str, str]
    api_keys: dict[str, str]


def refuse_foreign_data() -> None:
    """The demo only ever works in a database of its own.

    Raises:
        CDPError: ``not_the_demos`` when there is a source that the demo did not make.
    """
    foreign = Source.objects.exclude(name__startswith=PREFIX).values_list("name", flat=True)
    if foreign:
        raise CDPError(
            "not_the_demos",
            f"this database holds other data (source {foreign[0]}); give the demo a folder of its "
            "own: UNISON_VAR=var-demo make demo",
        )


def open_shop(people: int, sessions: float, now: datetime) -> Shop:
    """Write the catalogue and the keys, and work out everything that will happen."""
    catalogue = sample_products()
    town = sample_town(people, len(CATEGORIES))
    write_products(catalogue, "sample shop")
    for channel in CHANNELS:
        write_channel_facts(channel, channel_records(catalogue, channel))
    for channel, locale, template, longest, format_ in SPECS:
        ChannelSpec.objects.update_or_create(
            channel=channel, locale=locale,
            defaults={"template": template, "max_characters": longest, "format": format_},
        )  # fmt: skip
    make_due()
    write_keys = {name: register_source(PREFIX + name, name)[1] for name in SOURCES}
    api_keys = {
        channel: register_api_key(PREFIX + channel, Scope.values, channel)[1]
        for channel in CHANNELS
    }
    api_keys["admin"] = register_api_key(PREFIX + "explorer", Scope.values)[1]
    messages = Journeys(town, catalogue, now, sessions).messages()
    return Shop(town, catalogue, messages, write_keys, api_keys)
