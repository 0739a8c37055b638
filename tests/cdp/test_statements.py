from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from cdp.models import Source
from cdp.statements import FEW, execute, together


def prepared() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.django_db
def test_a_statement_of_few_values_is_planned_once() -> None:
    query = "SELECT v + 1 FROM unnest(%s::bigint[]) AS v"
    assert [execute(query, [values]) for values in ("{1,2}", "{3}")] == [[(2,), (3,)], [(4,)]]
    assert prepared().count("SELECT v + 1 FROM unnest($1::bigint[]) AS v") == 1


@pytest.mark.django_db
def test_a_statement_of_many_values_is_planned_for_them() -> None:
    query = "SELECT count(*) FROM unnest(%s::bigint[]) AS v"
    many = "{" + ",".join(["7"] * FEW) + "}"
    assert execute(query, [many]) == [(FEW,)]
    assert not [text for text in prepared() if "count(*) FROM unnest" in text]


@pytest.mark.django_db
def test_a_statement_without_rows_answers_none_and_errors_are_those_of_django() -> None:
    write = "INSERT INTO cdp_source (name, channel, write_key_hash, created_at) VALUES (%s, %s, %s, now())"
    with pytest.raises(IntegrityError), transaction.atomic():
        for _ in range(2):
            assert execute(write, ["till", "store", "x"]) == []
    assert not Source.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_statement_after_a_lock_sees_what_was_committed_while_it_was_waited_for() -> None:
    locked, waiting = threading.Event(), threading.Event()
    seen: list[Any] = []
    source = Source.objects.create(name="till", channel="store")

    def other() -> None:
        try:
            with transaction.atomic():
                Source.objects.select_for_update().get(pk=source.pk)
                locked.set()
                assert waiting.wait(20)
                Source.objects.filter(pk=source.pk).update(channel="web")
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    assert locked.wait(20)
    with transaction.atomic():
        threading.Timer(0.2, waiting.set).start()
        seen = together(
            ("SELECT id FROM cdp_source WHERE id = %s FOR UPDATE", [source.pk]),
            ("SELECT channel FROM cdp_source WHERE id = %s", [source.pk]),
        )
    thread.join()
    assert seen == [[(source.pk,)], [("web",)]]
