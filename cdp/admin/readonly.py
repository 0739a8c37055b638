"""Pages that show and never change: history is not edited."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Listed, searched and looked at; no add, change or delete."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def as_json(value: object) -> SafeString:
    text = json.dumps(value, indent=1, ensure_ascii=False, default=str)
    return format_html('<pre style="white-space:pre-wrap;max-width:60rem">{}</pre>', text)


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> SafeString:
    if not rows:
        return SafeString("–")
    cells = format_html_join(
        "", "<th style='text-align:left;padding:2px 12px 2px 0'>{}</th>", [(h,) for h in head]
    )
    lines = [
        (format_html_join("", "<td style='padding:2px 12px 2px 0'>{}</td>", [(c,) for c in row]),)
        for row in rows
    ]
    return format_html(
        "<table><tr>{}</tr>{}</table>", cells, format_html_join("", "<tr>{}</tr>", lines)
    )
