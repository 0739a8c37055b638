"""What a learning run fits: baselines that are the bar, and candidates that may serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graph_ml.models.contract import Recommender
from graph_ml.models.fusion import Fusion
from graph_ml.models.graph_filter import GraphFilter
from graph_ml.models.graph_sage import GraphSAGE
from graph_ml.models.item_knn import ItemKNN
from graph_ml.models.lightgcn import LightGCN
from graph_ml.models.popularity import Popularity

Make = Callable[[], Recommender]
BASELINES: Mapping[str, Make] = {"popularity": Popularity, "item-knn": ItemKNN}
CANDIDATES: Mapping[str, Make] = {
    "graph-filter": GraphFilter,
    "lightgcn": LightGCN,
    "graphsage": GraphSAGE,
    "fusion": Fusion,
}
