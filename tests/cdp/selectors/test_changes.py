"""The change feed misses nothing while others are still writing."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from cdp.models import Customer, Profile
from cdp.selectors.changes import profile_changes
from cdp.stages.fold import fold

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_transaction_that_commits_late_is_not_skipped() -> None:
    """One begins first and commits last: a reader must not pass its place before it is there."""
    Customer.objects.bulk_create(
        Customer(id=n, public_id=f"00000000-0000-0000-0000-00000000000{n}") for n in (1, 2)
    )
    begun, finish = threading.Event(), threading.Event()

    def slow_writer() -> None:
        try:
            with transaction.atomic():
                fold([], [1])
                begun.set()
                assert finish.wait(10)
        finally:
            connection.close()

    writer = threading.Thread(target=slow_writer)
    writer.start()
    assert begun.wait(10)
    with transaction.atomic():
        fold([], [2])
    assert Profile.objects.count() == 1
    assert profile_changes(10, None).profiles == []
    finish.set()
    writer.join()
    page = profile_changes(10, None)
    assert sorted(p.customer_id for p in page.profiles) == [1, 2]
