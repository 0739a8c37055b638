"""Celery's set-up: queues, schedule, and reliability settings."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

TICK = float(os.environ.get("UNISON_TICK_SECONDS", "0.5"))
RETRAIN = float(os.environ.get("UNISON_RETRAIN_SECONDS", str(6 * 3600)))
RETRAIN_MATCHER = float(os.environ.get("UNISON_RETRAIN_MATCHER_SECONDS", str(7 * 24 * 3600)))

app = Celery("unison")
app.conf.update(
    broker_url=settings.REDIS_URL,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 4 * 3600},
    task_routes={
        "workers.events.refresh_slates": {"queue": "content"},
        "workers.events.*": {"queue": "events"},
        "workers.identity.*": {"queue": "content"},
        "workers.content.*": {"queue": "content"},
        "workers.learning.*": {"queue": "learning"},
    },
    beat_schedule={
        # A tick only looks for work in the outbox: a lost or expired tick costs nothing.
        "events": {
            "task": "workers.events.drain",
            "schedule": TICK,
            "options": {"expires": 2 * TICK},
        },
        "graph": {
            "task": "workers.events.drain_graph",
            "schedule": TICK,
            "options": {"expires": 2 * TICK},
        },
        "records": {
            "task": "workers.events.match_records",
            "schedule": TICK,
            "options": {"expires": 2 * TICK},
        },
        "slates": {
            "task": "workers.events.refresh_slates",
            "schedule": TICK,
            "options": {"expires": 2 * TICK},
        },
        "rules": {
            "task": "workers.identity.change_rules",
            "schedule": 2.0,
            "options": {"expires": 4},
        },
        "expiry": {
            "task": "workers.identity.expire_links",
            "schedule": 24 * 3600.0,
            "options": {"expires": 3600},
        },
        "matcher": {
            "task": "workers.learning.train_matcher",
            "schedule": RETRAIN_MATCHER,
            "options": {"expires": RETRAIN_MATCHER},
        },
        "content": {
            "task": "workers.content.refresh",
            "schedule": 30.0,
            "options": {"expires": 60},
        },
        "consistency": {
            "task": "workers.content.measure_consistency",
            "schedule": 6 * 3600.0,
            "options": {"expires": 3600},
        },
        "search": {
            "task": "workers.learning.index_products",
            "schedule": 20.0,
            "options": {"expires": 40},
        },
        "new products": {
            "task": "workers.learning.place_new_products",
            "schedule": 20.0,
            "options": {"expires": 40},
        },
        "learning": {
            "task": "workers.learning.retrain",
            "schedule": RETRAIN,
            "options": {"expires": RETRAIN},
        },
    },
)
app.autodiscover_tasks(["workers"], related_name="events")
app.autodiscover_tasks(["workers"], related_name="content")
app.autodiscover_tasks(["workers"], related_name="learning")


@app.on_after_configure.connect
def _set_up_django(**_: object) -> None:
    import django

    django.setup()
