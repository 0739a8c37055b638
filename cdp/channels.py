"""The channels a shop speaks through."""

from __future__ import annotations

from django.db import models


class Channel(models.TextChoices):
    WEB = "web"
    APP = "app"
    SOCIAL = "social"
    STORE = "store"
    EMAIL = "email"
    CRM = "crm"
