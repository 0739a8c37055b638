"""One recommender a file; all keep the contract of ``graph_ml.models.contract``."""
