"""One aggregate a file; imported from here."""

from cdp.models.catalogue import ChannelFact, Fact, FactType, Product, ProductImage
from cdp.models.content import ChannelSpec, TextFormat, Variant
from cdp.models.events import (
    DeviceLogin,
    Event,
    ImportRun,
    Interaction,
    QuarantinedEvent,
    Receipt,
    ReceiptStatus,
    Suppression,
    Verb,
)
from cdp.models.exposures import ConsistencyReport, Exposure, ExposureKind
from cdp.models.identity import (
    Assertion,
    Customer,
    Decision,
    Identifier,
    Link,
    Verdict,
    What,
)
from cdp.models.learning import (
    Artifact,
    ArtifactStatus,
    CustomerVector,
    ProductVector,
    Slate,
    Snapshot,
)
from cdp.models.matching import Block, Label, Match, Matcher, MatcherStatus, Record
from cdp.models.outbox import OutboxMessage, Topic
from cdp.models.profiles import Counter, Profile, TraitObservation
from cdp.models.rules import RuleSet, RuleSetStatus
from cdp.models.search import ProductText
from cdp.models.sources import ApiKey, Scope, Source, hash_key, new_key

__all__ = [
    "ApiKey",
    "Artifact",
    "ArtifactStatus",
    "Assertion",
    "Block",
    "ChannelFact",
    "ChannelSpec",
    "ConsistencyReport",
    "Counter",
    "Customer",
    "CustomerVector",
    "Decision",
    "DeviceLogin",
    "Event",
    "Exposure",
    "ExposureKind",
    "Fact",
    "FactType",
    "Identifier",
    "ImportRun",
    "Interaction",
    "Label",
    "Link",
    "Match",
    "Matcher",
    "MatcherStatus",
    "OutboxMessage",
    "Product",
    "ProductImage",
    "ProductText",
    "ProductVector",
    "Profile",
    "QuarantinedEvent",
    "Receipt",
    "ReceiptStatus",
    "Record",
    "RuleSet",
    "RuleSetStatus",
    "Scope",
    "Slate",
    "Snapshot",
    "Source",
    "Suppression",
    "TextFormat",
    "Topic",
    "TraitObservation",
    "Variant",
    "Verb",
    "Verdict",
    "What",
    "hash_key",
    "new_key",
]  # fmt: skip
