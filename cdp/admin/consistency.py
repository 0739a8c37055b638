"""The consistency page: the shop's figures beside each channel alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from cdp.admin.readonly import ReadOnlyAdmin, table
from cdp.models import ConsistencyReport


@admin.register(ConsistencyReport)
class ConsistencyReportAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "shop_score", "coverage_share", "window_start", "window_end")
    fields = ("created_at", "window_start", "window_end", "shop_score", "coverage_share", "picture",
              "figures", "differences")  # fmt: skip
    readonly_fields = fields

    @admin.display(description="Shop score")
    def shop_score(self, row: ConsistencyReport) -> str:
        return "not measured" if row.score is None else f"{row.score:.3f}"

    @admin.display(description="Coverage")
    def coverage_share(self, row: ConsistencyReport) -> str:
        return f"{row.coverage:.0%} of the customers seen on two channels or more"

    @admin.display(description="With Unison, and each channel alone")
    def picture(self, row: ConsistencyReport) -> SafeString:
        bars = [
            (50 * n + 18, name, 50 * n + 4, _width(part["score"]), 50 * n + 15, _text(part["score"]),
             50 * n + 22, _width(part["alone"]["score"]), 50 * n + 33, _text(part["alone"]["score"]))
            for n, (name, part) in enumerate(row.rows())
        ]  # fmt: skip
        drawn = format_html_join(
            "",
            '<text x="0" y="{}" fill="currentColor">{}</text>'
            '<rect x="90" y="{}" width="{}" height="14" rx="3" fill="#7c3aed"/>'
            '<text x="500" y="{}" fill="currentColor">{} with Unison</text>'
            '<rect x="90" y="{}" width="{}" height="14" rx="3" fill="#9ca3af"/>'
            '<text x="500" y="{}" fill="currentColor">{} each channel alone</text>',
            bars,
        )
        return format_html(
            '<svg role="img" aria-label="consistency by dimension" width="680" height="{}" '
            'font-size="13">{}</svg>',
            50 * len(bars), drawn,
        )  # fmt: skip

    @admin.display(description="Figures")
    def figures(self, row: ConsistencyReport) -> SafeString:
        return table(
            ("dimension", "score", "95 % interval", "alone", "status", "customers", "pairs", "left out", "freed of popularity"),
            [
                (name, _text(d["score"]), _interval(d),
                 _text(d["alone"]["score"]), d["status"], d["customers"], d["pairs"],
                 ", ".join(f"{k}: {v}" for k, v in d["leftOut"].items()) or "–", _text(d["corrected"]))
                for name, d in row.rows()
            ],
        )  # fmt: skip

    @admin.display(description="Differences (samples)")
    def differences(self, row: ConsistencyReport) -> SafeString:
        return table(
            ("dimension", "what differs"),
            [(name, text) for name, d in row.rows() for text in d["differences"]],
        )


def _width(score: float | None) -> int:
    return 0 if score is None else max(1, round(400 * score))


def _text(score: float | None) -> str:
    return "–" if score is None else f"{score:.3f}"


def _interval(dimension: dict[str, Any]) -> str:
    low, high = dimension["low"], dimension["high"]
    return "–" if low is None else f"{low:.3f} to {high:.3f}"
