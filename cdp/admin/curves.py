"""Pictures of a training: loss and held-out ndcg by epoch, and recall by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

LOSS, NDCG, BAR, LINE = "#b91c1c", "#15803d", "#6d28d9", "#9ca3af"
WIDE, HIGH, EDGE = 420, 140, 46
LABEL, ROW = 220, 22


def training(curve: Sequence[Mapping[str, float]]) -> SafeString:
    """Two lines over the epochs, each on its own scale; the best epoch is marked."""
    if not curve:
        return format_html("<p>closed form: nothing was trained</p>")
    best = max(range(len(curve)), key=lambda n: curve[n]["ndcg"])
    lines = format_html_join(
        "",
        "{}",
        ((_line(curve, name, colour),) for name, colour in (("loss", LOSS), ("ndcg", NDCG))),
    )
    x = _x(best, len(curve))
    mark = format_html(
        '<line x1="{0}" x2="{0}" y1="0" y2="{1}" stroke="{2}" stroke-dasharray="3 3"/>'
        '<text x="{0}" y="{3}" font-size="11" text-anchor="middle" fill="currentColor">epoch {4}</text>',
        x, HIGH, LINE, HIGH + 14, int(curve[best]["epoch"]),
    )  # fmt: skip
    return format_html(
        '<svg role="img" aria-label="loss and held-out ndcg of {} epochs" width="{}" height="{}" '
        'viewBox="0 -10 {} {}">{}{}</svg>',
        len(curve), WIDE + 2 * EDGE, HIGH + 34, WIDE + 2 * EDGE, HIGH + 34, lines, mark,
    )  # fmt: skip


def _x(place: int, count: int) -> float:
    return round(EDGE + WIDE * place / max(1, count - 1), 1)


def _line(curve: Sequence[Mapping[str, float]], name: str, colour: str) -> SafeString:
    values = [float(one[name]) for one in curve]
    low, high = min(values), max(values)
    points = " ".join(
        f"{_x(n, len(values))},{HIGH - HIGH * (value - low) / ((high - low) or 1):.1f}"
        for n, value in enumerate(values)
    )
    left = name == "loss"
    at, anchor = (EDGE - 4, "end") if left else (EDGE + WIDE + 4, "start")
    return format_html(
        '<polyline points="{0}" fill="none" stroke="{1}" stroke-width="2"/>'
        '<g font-size="11" fill="{1}" text-anchor="{2}"><text x="{3}" y="4">{4}</text>'
        '<text x="{3}" y="{5}">{6}</text><text x="{3}" y="{7}">{8}</text></g>',
        points, colour, anchor, at, f"{high:.3f}", HIGH, f"{low:.3f}", HIGH / 2, name,
    )  # fmt: skip


def groups(metrics: Mapping[str, float], stem: str = "recall@20 ") -> SafeString:
    """Recall of everybody, of each group of customers, and of products old and new."""
    shown = {"everybody": metrics.get(stem.strip())} | {
        name.removeprefix(stem): value
        for name, value in metrics.items()
        if name.startswith(stem) and name.removeprefix(stem) not in ("low", "high")
    }
    bars = [(name, float(value)) for name, value in shown.items() if value is not None]
    if not bars:
        return format_html("<p>not measured on held-out time</p>")
    most = max(value for _, value in bars) or 1.0
    rows = format_html_join(
        "",
        '<text x="{}" y="{}" font-size="12" text-anchor="end" fill="currentColor">{}</text>'
        '<rect x="{}" y="{}" width="{}" height="14" fill="{}"/>'
        '<text x="{}" y="{}" font-size="12" fill="currentColor">{}</text>',
        (
            (
                LABEL - 8, n * ROW + 15, name, LABEL, n * ROW + 4, round(WIDE * value / most, 1), BAR,
                round(LABEL + WIDE * value / most + 6, 1), n * ROW + 15, f"{value:.4f}",
            )
            for n, (name, value) in enumerate(bars)
        ),
    )  # fmt: skip
    return format_html(
        '<svg role="img" aria-label="recall by group" width="{}" height="{}">{}</svg>',
        LABEL + WIDE + 70, len(bars) * ROW + 8, rows,
    )  # fmt: skip
