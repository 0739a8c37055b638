"""How right and how fast is identity? Events resolved by real workers on a stack of its own.

python bench/identity.py events FILE [--json OUT] [--workers N] [--single N] [--merges N]
python bench/identity.py records FILE [FILE…] --truth COLUMN [--columns COLUMN=KIND,…] [--json OUT]

FILE: Parquet with event_id, event_at, channel, ids (JSON: kind → raw values) and truth_person,
which is read for the score only. OUT gets one object: pair_precision, pair_recall, pair_f1 over
pairs of events, largest_customer (identifiers), events_per_s (micro-batches, all tables of the
project written, durable), and what the other lines of the table say.

records: Parquet or CSV, one record of a person a row; trains the record matcher without labels and
scores it against COLUMN, beside Splink by itself. OUT gets edge_f1, cluster_f1, b_cubed, and the
same under "splink". KIND: given_name, surname, full_name, birth_date, street, city, postcode,
phone, email, national_id, other; without --columns the names of the columns are gone by.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.machine import machine, set_up, show, stack

WARM = 1000
COLUMNS = [
    "--map", "ids=ids", "--map", "event_id=messageId", "--map", "event_at=timestamp",
    "--map", "channel=event", "--set", "type=track",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(dest="action", required=True)
    events = actions.add_parser("events", help="resolve a file of events and score it")
    events.add_argument("file", type=Path, metavar="FILE")
    events.add_argument("--json", type=Path, metavar="OUT")
    events.add_argument("--workers", type=int, default=2, help="of the micro-batches (default 2)")
    events.add_argument("--single", type=int, default=4000, help="events resolved one by one")
    events.add_argument("--merges", type=int, default=10_000, help="small merges and their undo")
    records = actions.add_parser("records", help="match records of people and score it")
    records.add_argument("files", type=Path, nargs="+", metavar="FILE")
    records.add_argument("--truth", required=True, metavar="COLUMN", help="who each record is")
    records.add_argument("--columns", default="", metavar="COLUMN=KIND,…")
    records.add_argument("--json", type=Path, metavar="OUT")
    work = actions.add_parser("work", help="a worker of this bench")
    work.add_argument("limit", type=int)
    options = parser.parse_args()
    if options.action == "records":
        _records(options)
        return
    if options.action == "events" and not options.file.is_file():
        sys.exit(f"{options.file} is not a file")
    set_up("identity")
    if options.action == "work":
        _work(options.limit)
        return
    with stack():
        rows, figures = run(options.file, options.workers, options.single, options.merges)
    show(f"identity: {options.file.name}", rows, None)
    if options.json:
        options.json.write_text(json.dumps(figures | {"machine": machine()}, indent=1) + "\n")


def _records(options: argparse.Namespace) -> None:
    from bench.records import measure

    said = [part.partition("=") for part in options.columns.split(",") if part]
    columns = {name.strip(): kind.strip() for name, _, kind in said}
    table, figures = measure(options.files, options.truth, columns)
    show("records: " + ", ".join(path.name for path in options.files), table, None)
    if options.json:
        options.json.write_text(json.dumps(figures | {"machine": machine()}, indent=1) + "\n")


def run(
    file: Path, workers: int, single: int, merges: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}

    def note(name: str, count: int, seconds: float, key: str, more: str = "") -> None:
        rows.append({"what": name, "count": count, "seconds": seconds,
                     "per second": count / seconds if seconds else 0.0, "note": more})  # fmt: skip
        figures[key] = count / seconds if seconds else 0.0

    parts = list(_files(file, single))
    started = time.monotonic()
    count = _accept(parts[0], "whole")
    note("accept (import)", count, time.monotonic() - started, "accepted_per_s")
    seconds, _ = _drain(workers, 10)
    note(f"micro-batches, {workers} workers", count, seconds, "events_per_s")
    if single:
        count = _accept_singly(parts[1])
        seconds, took = _drain(4, 1)
        took.sort()
        at = {p: 1000 * took[min(len(took) - 1, int(len(took) * p / 100))] for p in (50, 99)}
        figures |= {"single_p50_ms": at[50], "single_p99_ms": at[99]}
        note("single events, 4 workers", count, seconds, "single_events_per_s",
             f"p50 {at[50]:.1f} ms, p99 {at[99]:.1f} ms")  # fmt: skip
    figures |= score(file)
    rows += [{"what": name, "value": figures[name]} for name in
             ("pair_precision", "pair_recall", "pair_f1", "largest_customer", "shared", "customers")]  # fmt: skip
    for name, key, done, seconds, more in _rules():
        note(name, done, seconds, key, more)
    if merges:
        for name, key, done, seconds in _merges(merges):
            note(name, done, seconds, key)
    rows.append(
        {"what": "stored = events read anew", "value": _differences(), "note": "differences"}
    )
    return rows, figures


def _files(file: Path, single: int) -> Iterator[Path]:
    """The stream in two: all but the last ``single`` events, and those."""
    import pyarrow.parquet as pq
    from django.conf import settings

    table = pq.read_table(file)
    cut = max(0, table.num_rows - single)
    for name, part in (("most", table.slice(0, cut)), ("last", table.slice(cut))):
        path = Path(settings.VAR) / f"{name}.parquet"
        pq.write_table(part, path)
        yield path


def _accept(path: Path, name: str) -> int:
    from django.core.management import call_command

    from cdp.models import Event
    from cdp.stages.register import register_source

    register_source(f"bench-{name}", "web")
    call_command("import_events", str(path), "--source", f"bench-{name}", *COLUMNS)
    return Event.objects.count()


def _accept_singly(path: Path) -> int:
    """Each event an outbox message of its own, as a request with one event leaves it."""
    from django.db import transaction

    from cdp import outbox
    from cdp.models import Event, OutboxMessage, Topic

    before = Event.objects.count()
    _accept(path, "single")
    waiting = OutboxMessage.objects.filter(topic=Topic.EVENTS)
    events = [id_ for row in waiting for id_ in row.payload["events"]]
    waiting.delete()
    with transaction.atomic():
        for id_ in events:
            outbox.add(Topic.EVENTS, {"events": [id_]})
    return Event.objects.count() - before


def _drain(workers: int, limit: int) -> tuple[float, list[float]]:
    """Real worker processes until nothing waits; seconds from the first work to the last."""
    command = [sys.executable, __file__, "work", str(limit)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(workers)
    ]
    for process in running:  # started and connected, before the clock starts
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    started = time.monotonic()
    for process in running:
        assert process.stdin is not None
        process.stdin.close()
    took: list[float] = []
    for process in running:
        assert process.stdout is not None
        took += json.loads(process.stdout.readline() or "[]")
    seconds = time.monotonic() - started
    for process in running:
        process.wait()
    return seconds, took


def _work(limit: int) -> None:
    from cdp import outbox, pipeline
    from cdp.models import Topic

    outbox.waiting(Topic.EVENTS)
    print("ready", flush=True)
    sys.stdin.read()
    took: list[float] = []
    while True:
        started = time.monotonic()
        if not pipeline.process_events(limit=limit):
            if not outbox.waiting(Topic.EVENTS):
                break
            continue
        took.append(time.monotonic() - started)
    print(json.dumps(took), flush=True)


def score(file: Path) -> dict[str, Any]:
    """Event pairs: an event belongs to the customer of its subject; one that hangs on a shared
    identifier to nobody else. Events without identifiers are left out on both sides."""
    import pyarrow.parquet as pq

    from cdp.models import Event, Identifier

    table = pq.read_table(file, columns=["event_id", "truth_person"])
    truth = dict(zip(table["event_id"].to_pylist(), table["truth_person"].to_pylist(), strict=True))
    cells: Counter[tuple[int, str]] = Counter()
    rows = Event.objects.filter(subject__isnull=False).values_list(
        "message_id", "id", "subject__customer_id", "subject__shared"
    )
    for message, id_, customer, shared in rows.iterator():
        cells[(-id_ if shared else customer, truth[message])] += 1
    joined: Counter[int] = Counter()
    people: Counter[str] = Counter()
    for (customer, person), count in cells.items():
        joined[customer] += count
        people[person] += count
    right, all_joined, all_true = (
        sum(n * (n - 1) // 2 for n in c.values()) for c in (cells, joined, people)
    )
    precision, recall = right / max(1, all_joined), right / max(1, all_true)
    sizes = Counter(
        Identifier.objects.filter(customer__isnull=False).values_list("customer_id", flat=True)
    )
    return {
        "pair_precision": precision,
        "pair_recall": recall,
        "pair_f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        "largest_customer": max(sizes.values(), default=0),
        "shared": Identifier.objects.filter(shared=True).count(),
        "customers": len(sizes),
    }


def _rules() -> Iterator[tuple[str, str, int, float, str]]:
    """A stricter limit and a word that names nobody, simulated and applied, and taken back."""
    from cdp import pipeline
    from cdp.domain.rules import DEFAULT_RULES
    from cdp.domain.rules_file import to_document
    from cdp.models import Event

    def quiet(name: str, count: int) -> None:
        """No progress: it would be measured."""

    strict, words = to_document(DEFAULT_RULES), to_document(DEFAULT_RULES)
    strict["kinds"]["email"]["max_neighbours"] = 1
    words["kinds"]["email"]["patterns"] = [".*@gmail[.]com"]
    count = Event.objects.count()
    for name, document in (("limit", strict), ("pattern", words), ("back", to_document(DEFAULT_RULES))):  # fmt: skip
        number = pipeline.draft_rules(document, "bench", name).pk
        started = time.monotonic()
        foretold = pipeline.simulate_rules(number, quiet).simulation or {}
        yield f"simulate: {name}", f"simulate_{name}_events_per_s", count, time.monotonic() - started, (
            f"{foretold['merged']} merged, {foretold['split']} split"
        )  # fmt: skip
        started = time.monotonic()
        outcome = pipeline.apply_rules(number, "bench", quiet).outcome or {}
        same = outcome["digest"] == foretold["digest"]
        yield f"apply: {name}", f"apply_{name}_events_per_s", count, time.monotonic() - started, (
            "as simulated" if same else "OTHER than simulated"
        )  # fmt: skip


def _merges(count: int) -> Iterator[tuple[str, str, int, float]]:
    """Customers of one identifier, two by two: asserted one, then taken back."""
    from django.db.models import Count

    from cdp import pipeline
    from cdp.domain.identifiers import Key
    from cdp.models import Customer, Identifier, Verdict

    alone = Customer.objects.annotate(n=Count("identifiers")).filter(n=1).values("id")
    found = Identifier.objects.filter(customer_id__in=alone, shared=False).order_by("id")
    keys = [Key(*row) for row in found.values_list("kind", "value")[: 2 * count]]
    pairs = list(zip(keys[::2], keys[1::2], strict=False))
    started = time.monotonic()
    made = [pipeline.assert_link(a, b, Verdict.MUST_LINK, "bench", "bench").pk for a, b in pairs]
    yield "small merges by hand", "merges_per_s", len(pairs), time.monotonic() - started
    started = time.monotonic()
    for number in made:
        pipeline.retract_assertion(number, "bench", "bench")
    yield "their undo", "undos_per_s", len(pairs), time.monotonic() - started


def _differences() -> int:
    from cdp import pipeline

    found = pipeline.check_identity(lambda name, count: None)
    return sum(n for n, _ in found.values())


if __name__ == "__main__":
    main()
