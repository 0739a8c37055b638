"""Products, versioned facts, and texts that never outlive them."""

from __future__ import annotations

import pytest

from cdp import pipeline
from cdp.domain.listing import Listing, listing
from cdp.errors import CDPError
from cdp.models import ChannelSpec, Fact, OutboxMessage, Product, Variant
from cdp.selectors import content
from cdp.selectors.products import facts_of
from cdp.stages.catalogue import write_products
from cdp.stages.render import render

pytestmark = pytest.mark.django_db


def pan(price: str = "9.90") -> Listing:
    return listing({"sku": "P", "title": "Pan", "title_zh": "煎锅", "price": price}, "USD")


@pytest.fixture
def spec() -> ChannelSpec:
    made: ChannelSpec = ChannelSpec.objects.create(
        channel="web", locale="en", template="{name}.\nPrice: {price}.", max_characters=99
    )
    return made


def served(spec: ChannelSpec) -> content.ServedContent:
    product = Product.objects.get()
    facts = content.fact_values(facts_of([product.pk])[product.pk])
    variant = content.variants_of([product.pk], "web", "en").get(product.pk)
    return content.content(spec, "en", facts, variant)


def test_a_changed_fact_gets_a_new_version_and_the_old_one_stays() -> None:
    write_products([pan()], "first")
    write_products([pan("8.00")], "second")
    prices = Fact.objects.filter(key="price").order_by("version")
    assert [(f.version, f.value["amount"], f.origin, f.superseded_at is None) for f in prices] == [
        (1, "9.90", "first", False), (2, "8.00", "second", True),
    ]  # fmt: skip
    assert Fact.objects.filter(key="name").count() == 1


def test_importing_twice_changes_nothing_and_tells_the_graph() -> None:
    write_products([pan()], "a")
    before = list(Fact.objects.values_list("pk", "version"))
    write_products([pan()], "a")
    assert list(Fact.objects.values_list("pk", "version")) == before
    assert OutboxMessage.objects.filter(topic="graph").count() == 2


def test_a_stored_text_is_served_until_its_fact_changes(spec: ChannelSpec) -> None:
    write_products([pan()], "a")
    assert render([Product.objects.get().pk]) == 1
    assert (served(spec).text, served(spec).origin) == ("Pan. Price: $9.90.", "variant")
    write_products([pan("8.00")], "a")
    assert (served(spec).text, served(spec).origin) == ("Pan. Price: $8.00.", "template")
    assert render([Product.objects.get().pk]) == 1
    assert (served(spec).text, served(spec).origin) == ("Pan. Price: $8.00.", "variant")
    assert render([Product.objects.get().pk]) == 0


def test_a_changed_spec_makes_its_texts_stale_at_once(spec: ChannelSpec) -> None:
    write_products([pan()], "a")
    assert pipeline.refresh_content() == 1
    spec.template = "Only {price}: {name}."
    spec.save()
    pipeline.spec_changed()
    assert (served(spec).text, served(spec).origin) == ("Only $9.90: Pan.", "template")
    assert pipeline.refresh_content() == 1
    assert (served(spec).text, served(spec).origin) == ("Only $9.90: Pan.", "variant")
    assert pipeline.refresh_content() == 0


def test_a_fact_that_comes_later_reaches_the_texts(spec: ChannelSpec) -> None:
    write_products([listing({"sku": "P", "title": "Pan"}, "USD")], "a")
    pipeline.refresh_content()
    assert served(spec).text == "Pan."
    write_products([pan()], "a")
    pipeline.refresh_content()
    assert (served(spec).text, served(spec).origin) == ("Pan. Price: $9.90.", "variant")


def test_a_text_that_fails_the_check_is_never_served(spec: ChannelSpec) -> None:
    write_products([pan()], "a")
    product = Product.objects.get()
    Variant.objects.create(
        product=product, channel="web", locale="en", text="The best pan, $1.", facts={},
        spec_digest=spec.digest,
        problems=[{"kind": "unsupported", "about": "claim", "span": "best"}],
    )  # fmt: skip
    assert served(spec).text == "Pan. Price: $9.90."
    spec.template = "The best {name}."
    with pytest.raises(CDPError, match="no_content"):
        served(spec)


def test_the_locale_given_is_named(spec: ChannelSpec) -> None:
    chosen = content.specs_for([("web", "en-GB"), ("web", "zh"), ("app", "en")])
    assert {asked: row.locale for asked, row in chosen.items()} == {
        ("web", "en-GB"): "en", ("web", "zh"): "en",
    }  # fmt: skip
