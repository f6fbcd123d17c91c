"""Cron expressions: every kind that Cloudflare's docs and its own parser know, and what is refused and how."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.control.crons import parse_cron
from gateway.errors import InvalidCron

MONDAY = datetime(2026, 11, 23, 6, 50, 30, tzinfo=UTC)

DUE = [
    # The examples of Cloudflare's docs, Cron Triggers
    ("* * * * *", "2026-11-23 06:51 Mon"),
    ("*/30 * * * *", "2026-11-23 07:00 Mon"),
    ("45 * * * *", "2026-11-23 07:45 Mon"),
    ("0 17 * * sun", "2026-11-29 17:00 Sun"),
    ("0 17 * * 1", "2026-11-29 17:00 Sun"),
    ("10 7 * * mon-fri", "2026-11-23 07:10 Mon"),
    ("10 7 * * 2-6", "2026-11-23 07:10 Mon"),
    ("0 15 1 * *", "2026-12-01 15:00 Tue"),
    ("0 18 * * 6L", "2026-11-27 18:00 Fri"),
    ("0 18 * * friL", "2026-11-27 18:00 Fri"),
    ("59 23 LW * *", "2026-11-30 23:59 Mon"),
    # Lists, ranges, steps
    ("5,50,55 6 * * *", "2026-11-23 06:55 Mon"),
    ("20-40/10 * * * *", "2026-11-23 07:20 Mon"),
    ("55/2 * * * *", "2026-11-23 06:55 Mon"),
    ("*/7,51 * * * *", "2026-11-23 06:51 Mon"),
    ("0 */8 * * *", "2026-11-23 08:00 Mon"),
    ("55-5 * * * *", "2026-11-23 06:55 Mon"),
    ("50-10/7 * * * *", "2026-11-23 06:57 Mon"),
    ("0 0 * jan,MAR *", "2027-01-01 00:00 Fri"),
    ("0 0 * NOV-FEB *", "2026-11-24 00:00 Tue"),
    ("0 0 * * FRI-SUN", "2026-11-27 00:00 Fri"),
    ("0 0 * * SUN-TUE", "2026-11-24 00:00 Tue"),
    ("0 0 * * 7", "2026-11-28 00:00 Sat"),
    # Days of the month
    ("0 0 L * *", "2026-11-30 00:00 Mon"),
    ("0 0 L-3 * *", "2026-11-27 00:00 Fri"),
    ("0 0 L-1W * *", "2026-11-30 00:00 Mon"),
    ("0 0 15W 8 *", "2027-08-16 00:00 Mon"),
    ("0 0 14W 8 *", "2027-08-13 00:00 Fri"),
    ("0 0 1W 5 *", "2027-05-03 00:00 Mon"),
    ("0 0 31W 1 *", "2027-01-29 00:00 Fri"),
    ("0 0 29 2 *", "2028-02-29 00:00 Tue"),
    # Weekdays
    ("0 0 * * 6#2", "2026-12-11 00:00 Fri"),
    ("0 0 * * mon#5", "2026-11-30 00:00 Mon"),
    ("0 0 * * L", "2026-11-28 00:00 Sat"),
    # Both: either is enough
    ("0 0 1 * TUE", "2026-11-24 00:00 Tue"),
    ("0 0 25 * SUN", "2026-11-25 00:00 Wed"),
    ("0 0 */10 * SUN", "2026-11-29 00:00 Sun"),
]


@pytest.mark.parametrize(("cron", "due"), DUE, ids=[cron for cron, _ in DUE])
def test_when_a_cron_is_due_next(cron: str, due: str) -> None:
    """Cloudflare docs, Cron Triggers, Supported cron expressions; ranges over the end as in saffron."""
    found = parse_cron(cron).next_after(MONDAY)

    assert found is not None
    assert found.strftime("%Y-%m-%d %H:%M %a") == due


@pytest.mark.parametrize("cron", ["0 0 31 2 *", "0 0 30 2 *", "0 0 L-30 2 *", "0 0 31W 4 *", "0 0 L-29W 2 *"])
def test_a_day_that_never_comes(cron: str) -> None:
    """It can be read, as in production, and never fires."""
    assert parse_cron(cron).next_after(MONDAY) is None


def test_the_time_asked_about_may_be_of_any_zone() -> None:
    """Cloudflare docs: Cron Triggers execute on UTC time."""
    tokyo = MONDAY.astimezone(timezone(timedelta(hours=9)))

    assert parse_cron("0 8 * * *").next_after(tokyo) == datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_the_text_is_kept_as_it_was_written() -> None:
    """The Worker compares ``event.cron`` with what stands in its own configuration."""
    assert parse_cron("0  17 * * sun").text == "0  17 * * sun"


BAD = {
    "* * * *": "4 fields",
    "* * * * * *": "6 fields",
    "": "0 fields",
    "60 * * * *": "minute '60'",
    "-1 * * * *": "minute '-1'",
    "* 24 * * *": "hour '24'",
    "* * 0 * *": "day of month '0'",
    "* * 32 * *": "day of month '32'",
    "* * 0W * *": "day of month '0W'",
    "* * L-31 * *": "day of month 'L-31'",
    "* * LL * *": "day of month 'LL'",
    "* * 1,15W * *": "day of month '1,15W'",
    "* * * 13 *": "month '13'",
    "* * * foo *": "month 'FOO'",
    "* * * mon *": "month 'MON'",
    "0 22 * * 0": "weekday '0'",
    "* * * * 8": "weekday '8'",
    "* * * * mon#6": "weekday 'MON#6'",
    "* * * * mon#0": "weekday 'MON#0'",
    "* * * * monday": "weekday 'MONDAY'",
    "*/0 * * * *": "minute '*/0'",
    "*/60 * * * *": "minute '*/60'",
    "*/ * * * *": "minute '*/'",
    "5, * * * *": "minute '5,'",
    "5,* * * * *": "minute '5,*'",
    "1-2-3 * * * *": "minute '1-2-3'",
    "*-5 * * * *": "minute '*-5'",
    "\u00b2 * * * *": "minute",
    "\u0663 * * * *": "minute",
    "99999999999999999999 * * * *": "minute",
    "@daily": "1 fields",
}


@pytest.mark.parametrize(("cron", "told"), BAD.items(), ids=BAD)
def test_a_cron_that_cannot_be_read_names_the_field(cron: str, told: str) -> None:
    """House rule 8; code 10100 and the first words are production's."""
    with pytest.raises(InvalidCron) as refused:
        parse_cron(cron)

    assert refused.value.code == 10_100
    assert refused.value.message.startswith("invalid cron string")
    assert told in refused.value.message
    assert refused.value.remedy


FIELDS = st.sampled_from(["*", "0", "7", "*/5", "1-5", "5-1", "2,4", "3-7/2"])


@given(st.tuples(FIELDS, FIELDS, *[st.sampled_from(["*", "1", "5-1", "2,4", "*/3"])] * 3))
def test_what_is_due_next_is_due_and_nothing_is_before_it(fields: tuple[str, ...]) -> None:
    """The two questions that are asked of a cron have one answer."""
    cron = parse_cron(" ".join(fields))
    due = cron.next_after(MONDAY)

    assert due is not None
    assert cron.is_due(due)
    minutes = min(int((due - MONDAY).total_seconds() // 60), 2_000)
    start = MONDAY.replace(second=0)
    assert not any(cron.is_due(start + timedelta(minutes=n)) for n in range(1, minutes + 1))
