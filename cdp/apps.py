"""The one Django app."""

from django.apps import AppConfig


class CDPConfig(AppConfig):
    name = "cdp"
    verbose_name = "Unison"
    default_auto_field = "django.db.models.BigAutoField"
