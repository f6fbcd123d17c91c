"""Cron expressions as Cloudflare reads them: text -> a value that knows when it is next due (UTC).

No library on PyPI knows all of it (weekdays from 1 = Sunday, ``15W``, ``L-3``, ranges over the end), so this
follows the grammar of Cloudflare's own open parser, saffron:

======== =============== ======================================
field    values          beside ``*`` ``,`` ``-`` ``/``
======== =============== ======================================
minute   0-59
hour     0-23
day      1-31            ``L`` ``LW`` ``L-3`` ``L-3W`` ``15W``
month    1-12, JAN-DEC
weekday  1-7, SUN-SAT    ``L`` (Saturday) ``6L`` ``6#2``
======== =============== ======================================

Source: Cloudflare docs, Cron Triggers, Supported cron expressions; github.com/cloudflare/saffron.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from gateway.errors import InvalidCron

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SATURDAY: Final = 7
_SUNDAY: Final = 1
_MOST_OFFSET: Final = 30
_MOST_NTH: Final = 5
_FIELD_COUNT: Final = 5
_YEARS_AHEAD: Final = 9
"""29 February comes after 8 years at the latest (1896-1904); what does not come by then never does."""

DayRule = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression; made by ``parse_cron``.

    Args:
        text: As it was written; it names the trigger, and the Worker sees it as ``event.cron``.
        on_day: Whether day of month and weekday let a date pass.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    on_day: DayRule

    def is_due(self, minute: datetime) -> bool:
        """Return whether a minute of UTC is one of its times."""
        return (
            minute.minute in self.minutes
            and minute.hour in self.hours
            and minute.month in self.months
            and self.on_day(minute.date())
        )

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time after a moment, at the start of its minute; None where there never is one.

        Args:
            moment: With its time zone; what comes back is UTC, as all crons of Cloudflare's.
        """
        earliest = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day, last = earliest.date(), earliest.date() + timedelta(days=366 * _YEARS_AHEAD)
        while day <= last:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
                continue
            if self.on_day(day) and (due := self._first_time(day, earliest)):
                return due
            day += timedelta(days=1)
        return None

    def _first_time(self, day: date, earliest: datetime) -> datetime | None:
        for hour in self.hours:
            for minute in self.minutes:
                due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                if due >= earliest:
                    return due
        return None


def parse_cron(text: str) -> Cron:
    """Read a cron expression.

    Raises:
        InvalidCron: Names the expression, the field and what stands there (Cloudflare's code 10100).
    """
    parts = text.upper().split()
    if len(parts) != _FIELD_COUNT:
        raise InvalidCron(text, f"it has {len(parts)} fields, not {_FIELD_COUNT}")
    minute, hour, day, month, weekday = (field.of(text, part) for field, part in zip(_FIELDS, parts, strict=True))
    return Cron(
        text=text,
        minutes=tuple(sorted(minute.values())),
        hours=tuple(sorted(hour.values())),
        months=month.values(),
        on_day=_either(_day_rule(day), _weekday_rule(weekday)),
    )


@dataclass(frozen=True, slots=True)
class _Field:
    """What one of the five fields may hold."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def of(self, cron: str, part: str) -> _Part:
        return _Part(self, cron, part)


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 1, 7, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class _Part:
    """What stands in one field of one expression."""

    field: _Field
    cron: str
    text: str

    def values(self) -> frozenset[int]:
        """Return the numbers that a list of values, ranges and steps means."""
        if self.text == "*":
            return frozenset(range(self.field.low, self.field.high + 1))
        return frozenset(number for item in self.text.split(",") for number in self._item(item))

    def number(self, text: str) -> int:
        """Return a single number or name."""
        if text in self.field.names:
            return self.field.names.index(text) + self.field.low
        return self.whole(text, self.field.low, self.field.high)

    def whole(self, text: str, low: int, high: int) -> int:
        """Return a whole number within bounds."""
        number = int(text) if re.fullmatch(r"[0-9]{1,3}", text) else None
        if number is None or not low <= number <= high:
            raise self.wrong(f"{text!r} is no number from {low} to {high}")
        return number

    def wrong(self, problem: str) -> InvalidCron:
        return InvalidCron(self.cron, f"{self.field.name} {self.text!r}: {problem}")

    def _item(self, item: str) -> list[int]:
        span, slash, step_text = item.partition("/")
        low, high = self.field.low, self.field.high
        if span == "*" and slash:
            numbers = list(range(low, high + 1))
        elif "-" in span:
            first, last = (self.number(end) for end in span.split("-", 1))
            # As Quartz, and so Cloudflare: FRI-SUN goes over the end.
            after = range(low, last + 1) if last < first else ()
            numbers = [*range(first, (high if last < first else last) + 1), *after]
        else:
            first = self.number(span)
            numbers = list(range(first, high + 1)) if slash else [first]
        return numbers[:: self.whole(step_text, 1, high - low)] if slash else numbers


def _either(day: DayRule | None, weekday: DayRule | None) -> DayRule:
    """Where both fields say something, either is enough; ``*`` says nothing."""
    if day is None:
        return weekday or (lambda _date: True)
    if weekday is None:
        return day
    return lambda on: day(on) or weekday(on)


def _day_rule(part: _Part) -> DayRule | None:
    text = part.text
    if text == "*":
        return None
    if match := re.fullmatch(r"L(?:-([0-9]+))?(W?)", text):
        offset = part.whole(match[1], 1, _MOST_OFFSET) if match[1] else 0
        return _LastDay(offset, working=bool(match[2]))
    if match := re.fullmatch(r"([0-9]+)W", text):
        return _NearestWorkingDay(part.number(match[1]))
    numbers = part.values()
    return lambda on: on.day in numbers


def _weekday_rule(part: _Part) -> DayRule | None:
    text = part.text
    if text == "*":
        return None
    if text == "L":
        return lambda on: _weekday(on) == _SATURDAY
    if match := re.fullmatch(r"([0-9A-Z]+)L", text):
        return _NthWeekday(part.number(match[1]), 0)
    if match := re.fullmatch(r"([0-9A-Z]+)#([0-9]+)", text):
        return _NthWeekday(part.number(match[1]), part.whole(match[2], 1, _MOST_NTH))
    numbers = part.values()
    return lambda on: _weekday(on) in numbers


@dataclass(frozen=True, slots=True)
class _LastDay:
    """``L``, ``L-3``: so many days before the month's last; with ``W`` the working day nearest to it."""

    offset: int
    working: bool

    def __call__(self, on: date) -> bool:
        day = _length(on) - self.offset
        if day < 1:
            return False
        return on.day == (_working_day(on, day) if self.working else day)


@dataclass(frozen=True, slots=True)
class _NearestWorkingDay:
    """``15W``: the working day nearest to the 15th, in the same month."""

    day: int

    def __call__(self, on: date) -> bool:
        return self.day <= _length(on) and on.day == _working_day(on, self.day)


@dataclass(frozen=True, slots=True)
class _NthWeekday:
    """``6#2``: the second Friday of the month; ``6L`` (``nth`` 0): the last."""

    weekday: int
    nth: int

    def __call__(self, on: date) -> bool:
        if _weekday(on) != self.weekday:
            return False
        return (on.day + 6) // 7 == self.nth if self.nth else on.day + 7 > _length(on)


def _working_day(month: date, day: int) -> int:
    """Return the day from Monday to Friday that is nearest to a day, without leaving the month."""
    weekday = _weekday(month.replace(day=day))
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < _length(month) else day - 2
    return day


def _weekday(on: date) -> int:
    """Return Cloudflare's number of a date's weekday: 1 is Sunday."""
    return on.isoweekday() % 7 + 1


def _length(month: date) -> int:
    return calendar.monthrange(month.year, month.month)[1]
