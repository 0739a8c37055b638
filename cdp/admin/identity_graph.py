"""The identity graph as a picture: a lane a kind, a row an identifier, so that no labels meet."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from cdp.selectors.explain import told
from cdp.selectors.identity_graph import Edge, Graph, Node

LANE, BOX, ROW, HIGH, TOP = 168, 132, 29, 22, 32
LETTERS = 19
Places = Mapping[int, tuple[int, int]]


def draw(graph: Graph, rank: Mapping[str, int]) -> SafeString:
    """An SVG; links that count are solid, refused ones dashed, a hover says the evidence."""
    if not graph.nodes:
        return SafeString("–")
    lanes = _lanes(graph, rank)
    places = {
        node.id: (x * LANE, TOP + y * ROW)
        for x, (_, nodes) in enumerate(lanes)
        for y, node in enumerate(nodes)
    }
    height = TOP + ROW * max(len(nodes) for _, nodes in lanes) + 8
    heads = format_html_join(
        "", '<text x="{}" y="18" font-weight="600" fill="currentColor">{}</text>',
        [(x * LANE, kind) for x, (kind, _) in enumerate(lanes)],
    )  # fmt: skip
    left = format_html("<p>{} more are not shown</p>", graph.left_out) if graph.left_out else ""
    return format_html(
        '<div style="overflow-x:auto;min-width:100%;width:calc(100vw - 560px)"><svg role="img" aria-label="identity graph: {} identifiers, '
        '{} links" width="{}" height="{}" font-size="11">{}{}{}</svg></div>{}{}',
        len(graph.nodes), len(graph.edges), len(lanes) * LANE, height,
        heads, _edges(graph.edges, places), _nodes(graph.nodes, places), LEGEND, left,
    )  # fmt: skip


LEGEND = SafeString(
    "<p>solid: joins · dashed red: refused · thick green: asserted by a person · grey box: another "
    "customer's · dotted box: shared, joins nobody · thicker: seen together more often</p>"
)


def _lanes(graph: Graph, rank: Mapping[str, int]) -> list[tuple[str, list[Node]]]:
    """Kinds from strong to weak; in a lane each node near the middle of those it is tied to."""
    by_kind: dict[str, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        by_kind[node.kind].append(node)
    near: dict[int, list[int]] = defaultdict(list)
    for edge in graph.edges:
        near[edge.a].append(edge.b)
        near[edge.b].append(edge.a)
    height: dict[int, float] = {}
    lanes = []
    for kind in sorted(by_kind, key=lambda kind: rank.get(kind, 99)):
        nodes = sorted(
            by_kind[kind], key=lambda n: (n.outside, _middle(near[n.id], height), n.value)
        )
        height |= {node.id: float(y) for y, node in enumerate(nodes)}
        lanes.append((kind, nodes))
    return lanes


def _middle(neighbours: list[int], height: Mapping[int, float]) -> float:
    placed = [height[id_] for id_ in neighbours if id_ in height]
    return sum(placed) / len(placed) if placed else math.inf


def _nodes(nodes: list[Node], places: Places) -> SafeString:
    return format_html_join(
        "",
        '<g><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="5" fill="{}" '
        'stroke="#7c3aed" stroke-dasharray="{}"/><text x="{}" y="{}" fill="#111827">{}</text></g>',
        [
            (f"{node.kind}:{node.value}", x, y, BOX, HIGH, "#e5e7eb" if node.outside else "#ede9fe",
             "2 3" if node.shared else "none", x + 6, y + 15, _short(node.value))
            for node in nodes
            for x, y in [places[node.id]]
        ],
    )  # fmt: skip


def _edges(edges: list[Edge], places: Places) -> SafeString:
    return format_html_join(
        "",
        '<path d="{}" fill="none" stroke="{}" stroke-width="{}" stroke-dasharray="{}">'
        "<title>{}</title></path>",
        [
            (_curve(places[edge.a], places[edge.b]), _colour(edge), _width(edge),
             "5 4" if edge.refused else "none", _evidence(edge))
            for edge in edges
        ],
    )  # fmt: skip


def _curve(one: tuple[int, int], other: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = sorted((one, other))
    middle = HIGH // 2
    if x1 == x2:  # in one lane: a bow beside it
        side = x1 + BOX
        bow = side + min(60, 18 + abs(y2 - y1) // 6)
        return (
            f"M{side} {y1 + middle} C{bow} {y1 + middle} {bow} {y2 + middle} {side} {y2 + middle}"
        )
    start, bend = x1 + BOX, (x1 + BOX + x2) // 2
    return f"M{start} {y1 + middle} C{bend} {y1 + middle} {bend} {y2 + middle} {x2} {y2 + middle}"


def _colour(edge: Edge) -> str:
    if edge.refused:
        return "#dc2626"
    return "#16a34a" if edge.verdict == "must_link" else "#6b7280"


def _width(edge: Edge) -> float:
    if edge.weight is not None:
        return 2.0
    return 3.0 if not edge.count else round(1 + math.log10(edge.count), 1)


def _evidence(edge: Edge) -> str:
    if edge.weight is not None:
        seen = f"match of {edge.weight:.1f} bits"
        return f"{seen}; refused: {told(edge.verdict)}" if edge.refused else seen
    if not edge.count:
        return f"{edge.verdict.replace('_', '-')}, said {edge.first_at:%Y-%m-%d}"
    seen = f"seen together {edge.count} times, {edge.first_at:%Y-%m-%d} to {edge.last_at:%Y-%m-%d}"
    return f"{seen}; refused: {told(edge.verdict)}" if edge.refused else seen


def _short(value: str) -> str:
    return value if len(value) <= LETTERS else f"{value[: LETTERS - 9]}…{value[-8:]}"
