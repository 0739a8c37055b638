"""Pages that show and never change: history is not edited."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
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
