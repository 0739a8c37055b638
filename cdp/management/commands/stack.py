"""``manage.py stack up|down|status``: the embedded servers."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from cdp.errors import CDPError
from cdp.stack import control
from cdp.stack.services import services


class Command(BaseCommand):
    help = "Start, stop or show the embedded PostgreSQL, graph server and Valkey."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["up", "down", "status"])
        parser.add_argument(
            "--services", action="store_true", help="up: also start web, workers and beat"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        config = settings.STACK
        if config is None:
            self.stdout.write("DATABASE_URL, NEO4J_URI and REDIS_URL are set: nothing is embedded")
            return
        try:
            if options["action"] == "up":
                servers: list[control.Server] = control.stores(config)
                if options["services"]:
                    servers += services(config)
                control.up(config, servers, self.stdout.write)
            elif options["action"] == "down":
                control.down(config, self.stdout.write)
            else:
                for name, state in control.status(config):
                    self.stdout.write(f"{name:10} {state}")
        except CDPError as error:
            raise CommandError(str(error)) from error
