"""Prometheus counters of the tracking API."""

from prometheus_client import Counter

RECEIVED = Counter("unison_messages_total", "Messages received, by outcome", ["status"])
