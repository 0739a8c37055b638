"""How right and how fast is identity? Events resolved by real workers on a stack of its own.

python bench/identity.py events FILE [--json OUT] [--workers N] [--single N] [--merges N]
python bench/identity.py records FILE [FILE…] --truth COLUMN [--columns COLUMN=KIND,…] [--json OUT]
python bench/identity.py online FILE --columns COLUMN=KIND,… [--hold N] [--json OUT]

FILE: Parquet with event_id, event_at, channel, ids (JSON: kind → raw values), pii (JSON: what was
written down of a person; may be missing) and truth_person, which is read for the score only. OUT
gets one object: pair_precision, pair_recall, pair_f1 over pairs of events that name an identifier,
largest_customer (identifiers; records of people not counted), events_per_s (micro-batches, all
tables of the project written, durable); then, with a matcher that Splink trained on the stream's
records, matched_pair_precision … over all events that name anybody; and the table's other lines.

records: Parquet or CSV, one record of a person a row; trains the record matcher without labels and
scores it against COLUMN, beside Splink by itself. OUT gets edge_f1, cluster_f1, b_cubed, and the
same under "splink". KIND: given_name, surname, full_name, birth_date, street, city, postcode,
phone, email, national_id, other; without --columns the names of the columns are gone by.

online: all but N records of a file are taken in and matched; then the others one at a time.
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
    online = actions.add_parser("online", help="match records one at a time against many")
    online.add_argument("file", type=Path, metavar="FILE")
    online.add_argument("--columns", required=True, metavar="COLUMN=KIND,…")
    online.add_argument("--hold", type=int, default=578, help="records that come one at a time")
    online.add_argument("--json", type=Path, metavar="OUT")
    work = actions.add_parser("work", help="a worker of this bench")
    work.add_argument("limit", type=int)
    options = parser.parse_args()
    if options.action == "records":
        _records(options)
        return
    if options.action != "work" and not options.file.is_file():
        sys.exit(f"{options.file} is not a file")
    set_up("identity")
    if options.action == "work":
        _work(options.limit)
        return
    with stack():
        if options.action == "online":
            rows, figures = _online(options.file, _pairs(options.columns), options.hold)
        else:
            rows, figures = run(options.file, options.workers, options.single, options.merges)
    show(f"identity: {options.file.name}", rows, None)
    if options.json:
        options.json.write_text(json.dumps(figures | {"machine": machine()}, indent=1) + "\n")


def _records(options: argparse.Namespace) -> None:
    from bench.records import measure

    table, figures = measure(options.files, options.truth, _pairs(options.columns))
    show("records: " + ", ".join(path.name for path in options.files), table, None)
    if options.json:
        options.json.write_text(json.dumps(figures | {"machine": machine()}, indent=1) + "\n")


def _pairs(text: str) -> dict[str, str]:
    said = [part.partition("=") for part in text.split(",") if part]
    return {name.strip(): kind.strip() for name, _, kind in said}


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
    matched, seconds = _match()
    figures |= matched | {"train_and_match_s": seconds}
    rows.append({"what": "train a matcher, match all", "count": matched["matched_records"],
                 "seconds": seconds, "note": "records"})  # fmt: skip
    figures |= {f"matched_{k}": v for k, v in score(file, everybody=True).items()}
    rows += [{"what": name, "value": figures[name]} for name in
             ("matched_pair_precision", "matched_pair_recall", "matched_pair_f1",
              "matched_largest_customer", "review_backlog")]  # fmt: skip
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
    import pyarrow.parquet as pq
    from django.core.management import call_command

    from cdp.models import Event
    from cdp.stages.register import register_source

    register_source(f"bench-{name}", "web")
    written = ["--map", "pii=traits"] if "pii" in pq.read_schema(path).names else []
    call_command("import_events", str(path), "--source", f"bench-{name}", *COLUMNS, *written)
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


def score(file: Path, everybody: bool = False) -> dict[str, Any]:
    """Event pairs: an event belongs to the customer of its subject; one that hangs on a shared
    identifier to nobody else. Events that name nobody are left out on both sides, and those that
    only write a person down too, unless ``everybody``."""
    import pyarrow.parquet as pq

    from cdp.models import Event, Identifier

    table = pq.read_table(file, columns=["event_id", "truth_person"])
    truth = dict(zip(table["event_id"].to_pylist(), table["truth_person"].to_pylist(), strict=True))
    cells: Counter[tuple[int, str]] = Counter()
    rows = Event.objects.filter(subject__isnull=False).values_list(
        "message_id", "id", "subject__customer_id", "subject__shared", "parsed__keys"
    )
    for message, id_, customer, shared, keys in rows.iterator():
        if everybody or any(kind != "record" for kind, _ in keys):
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
    identifiers = Identifier.objects.filter(customer__isnull=False).exclude(kind="record")
    sizes = Counter(identifiers.values_list("customer_id", flat=True))
    return {
        "pair_precision": precision,
        "pair_recall": recall,
        "pair_f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        "largest_customer": max(sizes.values(), default=0),
        "shared": identifiers.filter(shared=True).count(),
        "customers": len(sizes),
    }


def _match() -> tuple[dict[str, Any], float]:
    """A matcher trained on the records of the stream, without labels, and adopted as it is."""
    from cdp import changing
    from cdp.errors import CDPError
    from cdp.matching.run import train_matcher
    from cdp.models import Record
    from cdp.selectors.reviews import backlog

    started = time.monotonic()
    try:
        made = train_matcher("bench", lambda line: print(f"  {line}"))
        changing.adopt_matcher(made.pk, "bench", lambda name, count: None)
    except CDPError as error:
        print(f"  no matcher: {error}")
    found = {"matched_records": Record.objects.count(), "review_backlog": backlog()}
    return found, time.monotonic() - started


def _online(
    file: Path, columns: dict[str, str], hold: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One record at a time against all the others: weighed, joined, and committed durably."""
    from django.utils import timezone

    from bench.records import read
    from cdp import pipeline
    from cdp.domain.events import Envelope
    from cdp.models import Match, Record
    from cdp.stages import match
    from cdp.stages.register import register_source

    rows = [{kind: row[name] for name, kind in columns.items()} for row in read([file])]
    source, _ = register_source("bench-tills", "store")

    def take_in(first: int, some: list[dict[str, Any]]) -> None:
        messages = [
            {"type": "identify", "messageId": f"r{first + n}", "traits": traits,
             "context": {"externalIds": [{"type": "loyalty_card", "id": f"card-{first + n}"}]}}
            for n, traits in enumerate(some)
        ]  # fmt: skip
        pipeline.accept(source, messages, Envelope("store", timezone.now()))

    many = rows[: max(0, len(rows) - hold)]
    for first in range(0, len(many), 500):
        take_in(first, many[first : first + 500])
    while pipeline.process_events():
        pass
    matched, seconds = _match()
    weighed: list[float] = []
    took: list[float] = []

    def timed(*arguments: Any) -> Any:
        started = time.monotonic()
        found = enter(*arguments)
        weighed.append(1000 * (time.monotonic() - started))
        return found

    enter, match.enter = match.enter, timed
    for n, row in enumerate(rows[len(many) :], len(many)):
        take_in(n, [row])
        while pipeline.process_events():
            pass
        started = time.monotonic()
        if pipeline.match_records():
            took.append(1000 * (time.monotonic() - started))
    figures = {"records": matched["matched_records"], **_percentiles("weighed", weighed),
               **_percentiles("joined", took), "train_and_match_s": seconds, "matches": Match.objects.count()}  # fmt: skip
    table = [
        {"what": "train a matcher, match all", "count": figures["records"], "seconds": seconds},
        {"what": "a record into its blocks, weighed", "count": len(weighed), "note": _said(figures, "weighed")},
        {"what": "… joined, profiles, committed", "count": len(took), "note": _said(figures, "joined")},
        {"what": "records in the end", "count": Record.objects.count()},
    ]  # fmt: skip
    return table, figures


def _percentiles(name: str, took: list[float]) -> dict[str, float]:
    took.sort()
    return {f"{name}_p{p}_ms": took[min(len(took) - 1, int(len(took) * p / 100))] for p in (50, 99)}


def _said(figures: dict[str, Any], name: str) -> str:
    return f"p50 {figures[f'{name}_p50_ms']:.2f} ms, p99 {figures[f'{name}_p99_ms']:.2f} ms"


def _rules() -> Iterator[tuple[str, str, int, float, str]]:
    """A stricter limit and a word that names nobody, simulated and applied, and taken back."""
    from cdp import changing
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
        number = changing.draft_rules(document, "bench", name).pk
        started = time.monotonic()
        foretold = changing.simulate_rules(number, quiet).simulation or {}
        yield f"simulate: {name}", f"simulate_{name}_events_per_s", count, time.monotonic() - started, (
            f"{foretold['merged']} merged, {foretold['split']} split"
        )  # fmt: skip
        started = time.monotonic()
        outcome = changing.apply_rules(number, "bench", quiet).outcome or {}
        same = outcome["digest"] == foretold["digest"]
        yield f"apply: {name}", f"apply_{name}_events_per_s", count, time.monotonic() - started, (
            "as simulated" if same else "OTHER than simulated"
        )  # fmt: skip


def _merges(count: int) -> Iterator[tuple[str, str, int, float]]:
    """Strangers of one identifier each, two by two: asserted one, then taken back."""
    from django.utils import timezone

    from cdp import deciding, pipeline
    from cdp.domain.events import Envelope
    from cdp.domain.identifiers import Key
    from cdp.models import Verdict
    from cdp.stages.register import register_source

    source, _ = register_source("bench-strangers", "web")
    names = [f"stranger-{n}" for n in range(2 * count)]
    for first in range(0, len(names), 500):
        messages = [
            {"type": "page", "messageId": name, "anonymousId": name}
            for name in names[first : first + 500]
        ]
        pipeline.accept(source, messages, Envelope("web", timezone.now()))
    while pipeline.process_events():
        pass
    keys = [Key("cookie", name) for name in names]
    pairs = list(zip(keys[::2], keys[1::2], strict=True))
    started = time.monotonic()
    made = [deciding.assert_link(a, b, Verdict.MUST_LINK, "bench", "bench").pk for a, b in pairs]
    yield "small merges by hand", "merges_per_s", len(pairs), time.monotonic() - started
    started = time.monotonic()
    for number in made:
        deciding.retract_assertion(number, "bench", "bench")
    yield "their undo", "undos_per_s", len(pairs), time.monotonic() - started


def _differences() -> int:
    from cdp import changing

    found = changing.check_identity(lambda name, count: None)
    return sum(n for n, _ in found.values())


if __name__ == "__main__":
    main()
