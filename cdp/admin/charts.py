"""Pictures of match weights: a pair's waterfall, a matcher's levels, how its pairs are spread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from cdp.domain.matching.weights import ELSE, Part, Weights

FOR, AGAINST, TOTAL, LINE = "#15803d", "#b91c1c", "#6d28d9", "#9ca3af"
LABEL, WIDE, ROW = 270, 420, 24
Bar = tuple[str, float, float, str, str]


def waterfall(parts: Sequence[Part], merge_at: float, review_at: float) -> SafeString:
    """What each comparison adds to the weight of a pair, from the prior to the sum, in bits."""
    bars: list[Bar] = []
    at = 0.0
    for part in parts:
        after = at + part.total
        bars.append(
            (
                f"{part.comparison}: {part.level}",
                at,
                after,
                f"{part.total:+.1f}",
                _colour(part.total),
            )
        )
        at = after
    bars.append(("weight", 0.0, at, f"{at:.1f}", TOTAL))
    return _drawn(bars, {"joins": merge_at, "asks": review_at}, f"waterfall of {at:.1f} bits")


def levels(weights: Weights) -> SafeString:
    """The weight of every level of every comparison, from alike to different."""
    bars: list[Bar] = [
        (f"{one.name}: {level}", 0.0, found.weight, f"{found.weight:+.1f}", _colour(found.weight))
        for one in weights.comparisons
        for level in (*(known.name for known in one.levels), ELSE)
        for found in [weights.trained[one.name][level]]
    ]
    return _drawn(bars, {}, "match weights of the levels")


def _colour(bits: float) -> str:
    return FOR if bits >= 0 else AGAINST


def _drawn(bars: Sequence[Bar], marks: Mapping[str, float], label: str) -> SafeString:
    """Bars on one scale of bits, their names on the left and their figures at the end."""
    ends = [0.0, *marks.values(), *(x for _, a, b, _, _ in bars for x in (a, b))]
    low, high = min(ends), max(ends)
    scale = WIDE / (high - low or 1.0)

    def x(bits: float) -> float:
        return round(LABEL + (bits - low) * scale, 1)

    height = ROW * len(bars) + 22
    lines = [(x(0.0), LINE, "0")] + [(x(bits), TOTAL, name) for name, bits in marks.items()]
    return format_html(
        '<svg role="img" aria-label="{}" width="{}" height="{}" font-size="12">{}{}</svg>',
        label, LABEL + WIDE + 60, height,
        format_html_join(
            "",
            '<line x1="{0}" x2="{0}" y1="14" y2="{1}" stroke="{2}" stroke-dasharray="3 3"/>'
            '<text x="{0}" y="11" text-anchor="middle" fill="{2}">{3}</text>',
            [(at, height - 4, colour, name) for at, colour, name in lines],
        ),
        format_html_join(
            "",
            '<text x="{}" y="{}" text-anchor="end" fill="currentColor">{}</text>'
            '<rect x="{}" y="{}" width="{}" height="14" rx="2" fill="{}"/>'
            '<text x="{}" y="{}" fill="currentColor">{}</text>',
            [_bar(n, bar, x) for n, bar in enumerate(bars)],
        ),
    )  # fmt: skip


def _bar(n: int, bar: Bar, x: Any) -> tuple[object, ...]:
    name, start, end, figure, colour = bar
    left, right = sorted((x(start), x(end)))
    y = 18 + n * ROW
    wide = max(1.5, round(right - left, 1))
    return LABEL - 8, y + 12, name, left, y, wide, colour, right + 4, y + 12, figure


def spread(counts: Mapping[str, int], merge_at: float, review_at: float) -> SafeString:
    """How many pairs have which weight (the height is logarithmic), and the two thresholds."""
    bits = {int(b): n for b, n in counts.items()}
    if not bits:
        return SafeString("–")
    low, high = min(*bits, 0), max(*bits, math.ceil(merge_at)) + 1
    wide, tall = max(6, 640 // (high - low)), 140
    top = math.log10(1 + max(bits.values()))

    def x(at: float) -> float:
        return round(20 + (at - low) * wide, 1)

    rects = [
        (x(b), tall - (h := round(120 * math.log10(1 + n) / top, 1)), wide - 1, h,
         TOTAL if b >= merge_at else "#a78bfa" if b >= review_at else LINE,
         f"{b} to {b + 1} bits: {n} pairs")
        for b, n in sorted(bits.items())
    ]  # fmt: skip
    marks = [("joins", merge_at), ("asks", review_at)]
    ticks = [(x(b), b) for b in range(low - low % 5, high + 1, 5) if b >= low]
    return format_html(
        '<svg role="img" aria-label="weights of {} pairs" width="{}" height="165" font-size="11">'
        "{}{}{}</svg>",
        sum(bits.values()), x(high) + 60,
        format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}" fill="{}"><title>{}</title></rect>', rects),
        format_html_join(
            "", '<line x1="{0}" x2="{0}" y1="12" y2="140" stroke="currentColor" stroke-dasharray="4 3"/>'
            '<text x="{0}" y="10" fill="currentColor">{1}</text>',
            [(x(at), name) for name, at in marks]),
        format_html_join("", '<text x="{}" y="156" text-anchor="middle" fill="currentColor">{}</text>', ticks),
    )  # fmt: skip
