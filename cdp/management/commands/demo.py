"""``manage.py demo``: the whole path on the sample shop, over HTTP, left running to explore."""

from __future__ import annotations

import json
import os
import secrets
import statistics
import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from cdp import outbox, pipeline
from cdp.domain.identifiers import Key
from cdp.errors import CDPError
from cdp.graph import projection
from cdp.management.commands._base import progress, told_plainly
from cdp.models import ConsistencyReport, Customer, Event
from cdp.simulator import asking, shop, story, truth
from cdp.simulator.journeys import CHANNELS
from cdp.simulator.sending import send
from cdp.stack import control
from cdp.stack.services import services

DRAIN_SECONDS = 300


class Command(BaseCommand):
    help = "Run the main job end to end on a sample shop and leave it running to explore."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--people", type=int, default=2000)
        parser.add_argument("--sessions", type=float, default=4.0, help="mean sessions a person")
        parser.add_argument(
            "--sample", type=int, default=300, help="customers that channels ask for"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.timings: list[tuple[str, float]] = []
        with told_plainly():
            self._run(options["people"], options["sessions"], options["sample"])

    def _run(self, people: int, sessions: float, sample: int) -> None:
        started = time.monotonic()
        url = self._start()
        made = self._timed(
            "open the shop", lambda: shop.open_shop(people, sessions, timezone.now())
        )
        self._say(
            f"{len(made.town.people)} people, {len(made.catalogue)} products, {len(made.messages)} messages"
        )
        self._timed("send with the Segment SDK", lambda: self._send(made, url))
        self._timed("drain the pipeline", self._drain)
        self._timed("render the texts", pipeline.refresh_content)
        self._timed("learn", lambda: call_command("train", stdout=self.stdout))
        asked_at = timezone.now()
        latencies = self._timed("every channel asks", lambda: self._ask(made, url, sample))
        report = self._timed("measure consistency", lambda: self._measure(asked_at))
        self._tell(made)
        found = truth.accuracy(truth.owners(made.messages, settings.DEFAULT_PHONE_REGION))
        self._figures(found, report, latencies)
        self._explore(made, url, time.monotonic() - started)
        if wrong := truth.shortfalls(found, report.dimensions):
            raise CDPError("demo_figures", "; ".join(wrong))

    def _start(self) -> str:
        config = settings.STACK
        if config is None:
            raise CDPError(
                "no_embedded_stack",
                "unset DATABASE_URL, NEO4J_URI, REDIS_URL: the demo brings its own",
            )
        self._timed(
            "start the stores", lambda: control.up(config, control.stores(config), self._say)
        )
        call_command("migrate", verbosity=0, interactive=False)
        shop.refuse_foreign_data()
        projection.ensure_schema()
        self._timed(
            "start web and workers", lambda: control.up(config, [*services(config)], self._say)
        )
        return f"http://127.0.0.1:{config.ports['web']}"

    def _send(self, made: shop.Shop, url: str) -> None:
        with progress() as bar:
            task = bar.add_task("messages", total=len(made.messages))
            send(made.messages, made.write_keys, url, lambda n: bar.advance(task, n))

    def _drain(self) -> None:
        total = Event.objects.count()
        deadline = time.monotonic() + DRAIN_SECONDS
        with progress() as bar:
            task = bar.add_task("events resolved", total=total)
            while time.monotonic() < deadline:
                bar.update(task, completed=Event.objects.filter(resolved_at__isnull=False).count())
                if not outbox.waiting():
                    return
                time.sleep(0.5)
        raise CDPError(
            "not_drained",
            f"{outbox.waiting()} outbox messages left after {DRAIN_SECONDS} s; see var/run/worker.log",
        )

    def _ask(self, made: shop.Shop, url: str, sample: int) -> list[float]:
        known = Customer.objects.filter(identifiers__events__isnull=False).distinct().order_by("id")
        asked = asking.questions(known.values_list("id", flat=True)[: sample * 2], CHANNELS)
        with progress() as bar:
            task = bar.add_task("questions", total=len(asked))
            return asking.ask(
                asked, made.api_keys, f"{url}/graphql", lambda n: bar.advance(task, n)
            )

    def _measure(self, since: Any) -> ConsistencyReport:
        time.sleep(1.5)  # the web process writes exposures out every quarter of a second
        return pipeline.measure_consistency(since, timezone.now() + timedelta(seconds=1))

    def _tell(self, made: shop.Shop) -> None:
        alice = made.town.people[0]
        self._title(f"One person's story: {alice.name}")
        for line in story.tell(Key("email", alice.emails[0])):
            self._say(line)

    def _figures(
        self, found: truth.Accuracy, report: ConsistencyReport, latencies: list[float]
    ) -> None:
        self._title("Identity against the truth")
        self._say(
            f"pair precision {found.precision:.4f}, pair recall {found.recall:.4f}; "
            f"{found.identifiers} identifiers of {found.people} people in {found.customers} customers; "
            f"largest {found.largest}"
        )
        self._title("Consistency between channels: each channel alone → with Unison")
        for name, part in report.rows():
            before, after = part["alone"]["score"], part["score"]
            shown = "not measured" if after is None else f"{before:.3f} → {after:.3f}"
            extra = (
                ""
                if part["corrected"] is None
                else f", freed of popularity {part['corrected']:.3f}"
            )
            self._say(
                f"{name:10} {shown}   ({part['customers']} customers, {part['pairs']} pairs{extra})"
            )
        self._say(
            "(content alone: each channel's own product list, which the sample shop keeps with errors)"
        )
        self._say(
            f"answers over GraphQL: {len(latencies)}, median {statistics.median(latencies):.0f} ms"
        )

    def _explore(self, made: shop.Shop, url: str, seconds: float) -> None:
        self._title("Timings")
        for name, spent in self.timings:
            self._say(f"{name:28} {spent:7.1f} s")
        self._say(f"{'everything':28} {seconds:7.1f} s")
        password = _demo_admin()
        path = settings.VAR / "demo-keys.json"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"write": made.write_keys, "graphql": made.api_keys}, file, indent=1)
        self._title("Explore (stop everything with: make down)")
        self._say(
            f'GraphiQL  {url}/graphql   header: {{"Authorization": "Bearer {made.api_keys["admin"]}"}}'
        )
        self._say(f"admin     {url}/admin/   name: demo   password: {password}")
        self._say(f"health    {url}/readyz   metrics: {url}/metrics")
        self._say(f"keys      {path.name} in {settings.VAR.name}/")

    def _timed(self, name: str, work: Any) -> Any:
        started = time.monotonic()
        self._say(f"== {name}")
        result = work()
        self.timings.append((name, time.monotonic() - started))
        return result

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _title(self, text: str) -> None:
        self._say(f"\n{text}\n{'-' * len(text)}")


def _demo_admin() -> str:
    """The demo's own superuser, with a new password each time."""
    password = secrets.token_urlsafe(12)
    model = get_user_model()
    row, _ = model.objects.get_or_create(
        username="demo", defaults={"is_staff": True, "is_superuser": True}
    )
    row.set_password(password)
    row.save()
    return password
