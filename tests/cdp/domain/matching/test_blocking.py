"""Two records of a person with a slip still share a key."""

from __future__ import annotations

import pytest

from cdp.domain.matching.blocking import keys

KINDS = {
    "first": "given_name", "last": "surname", "born": "birth_date", "zip": "postcode", "tel": "phone"
}  # fmt: skip
ANN = {
    "first": "katherine", "last": "meyer", "born": "1956-04-09", "zip": "98101", "tel": "2065057419"
}  # fmt: skip


@pytest.mark.parametrize(
    "slips",
    [
        {"last": "maier", "tel": None},
        {"born": "1965-04-09", "tel": None},
        {"first": "catherine", "zip": None, "tel": None},
        {"first": "meyer", "last": "katherine", "born": None, "zip": None, "tel": None},
        {"first": None, "last": None, "born": None},
    ],
)
def test_a_slip_leaves_another_key(slips: dict[str, str | None]) -> None:
    assert set(keys(ANN, KINDS)) & set(keys({**ANN, **slips}, KINDS))


def test_strangers_share_none_and_nothing_has_no_keys() -> None:
    bob = {"first": "bob", "last": "ray", "born": "1999-12-31", "zip": "10001", "tel": "9175550000"}
    assert not set(keys(ANN, KINDS)) & set(keys(bob, KINDS))
    assert keys(dict.fromkeys(KINDS), KINDS) == []
    assert len(keys(ANN, KINDS)) == len(set(keys(ANN, KINDS)))
