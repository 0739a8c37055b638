"""Events, receipts, quarantine and the outbox."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from cdp import outbox
from cdp.admin.readonly import ReadOnlyAdmin, as_json
from cdp.models import Event, Exposure, ImportRun, OutboxMessage, QuarantinedEvent, Receipt


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("occurred_at", "channel", "type", "name", "source", "subject", "message_id")
    list_filter = ("channel", "type", "verb")
    search_fields = ("message_id", "subject__value")
    list_select_related = ("source", "subject")
    exclude = ("payload", "parsed")
    readonly_fields = ("message",)

    @admin.display(description="Message")
    def message(self, row: Event) -> SafeString:
        return as_json(row.payload)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "source", "message_id", "status", "reason", "duplicates")
    list_filter = ("status", "source")
    search_fields = ("message_id",)
    list_select_related = ("source",)


@admin.register(QuarantinedEvent)
class QuarantinedEventAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "source", "reason", "field", "detail", "message_id")
    list_filter = ("reason", "source")
    search_fields = ("message_id", "detail")
    list_select_related = ("source",)


@admin.register(Exposure)
class ExposureAdmin(ReadOnlyAdmin):
    list_display = ("occurred_at", "kind", "channel", "identifier", "customer_as_served")
    list_filter = ("kind", "channel")
    search_fields = ("customer_as_served", "identifier__value")
    list_select_related = ("identifier",)


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "topic",
        "created_at",
        "available_at",
        "attempts",
        "parked_at",
        "last_error",
    )
    list_filter = ("topic", ("parked_at", admin.EmptyFieldListFilter))
    actions = ("try_again",)

    @admin.action(description="Try again now", permissions=["view"])
    def try_again(self, request: HttpRequest, rows: QuerySet[OutboxMessage]) -> None:
        count = outbox.try_again(list(rows.values_list("pk", flat=True)))
        messages.success(request, f"{count} messages are due now")


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin):
    list_display = ("source", "rows_done", "accepted", "duplicates", "quarantined", "finished_at")
    list_select_related = ("source",)
