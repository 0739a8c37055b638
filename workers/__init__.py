"""The Celery application. ``celery -A workers worker -Q events,content,learning``."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cdp.settings")

from workers.app import app

__all__ = ["app"]
