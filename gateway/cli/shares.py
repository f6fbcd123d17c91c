"""Arguments of ``versions deploy`` -> the versions and percentages they mean (pure).

Forms (R102-R104, S4), which may be mixed except the last::

    v1@90% v2@10%                         by position; the '@' that counts is the last one
    v1@10 v2                              v2 shares what is left (R45)
    --version-id ID --percentage N ...    paired by position
    --version-tag TAG@N
    --percentage N                        alone: the newest version gets N, the one that is stable now the rest
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from gateway.control.client import Deployment, Version, VersionSpec
from gateway.errors import DeploymentError, PercentageOutOfRange, PercentagesDoNotAddUp
from gateway.model.deployment import SUM_TOLERANCE

FULL: Final = 100.0

DEPLOYABLE_VERSIONS: Final = 100
"""R12: only the last 100 uploaded versions can be deployed."""

_NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_PERCENTAGE: Final = re.compile(rf"({_NUMBER})\s*%?")
_AT_PERCENTAGE: Final = re.compile(rf"(?P<version>.*)@(?P<percentage>{_NUMBER})%?", re.DOTALL)


class UnclearArguments(ValueError):
    """Arguments that do not say which versions, or what each of them gets; a usage error."""


@dataclass(frozen=True, slots=True)
class NewestAt:
    """``--percentage N`` alone: which versions it means follows from what is uploaded and active."""

    percentage: float


def understand(
    specs: Sequence[str], version_ids: Sequence[str], version_tags: Sequence[str], percentages: Sequence[str]
) -> tuple[VersionSpec, ...] | NewestAt | None:
    """Return what the arguments mean, or None where they name nothing and the user must be asked.

    Args:
        specs: As ``v1@90%``.
        version_ids: Without percentages.
        version_tags: As ``specs``.
        percentages: Paired with ``version_ids`` by position; as ``10`` or ``10%``.

    Raises:
        UnclearArguments: They contradict each other or are no numbers.
        PercentageOutOfRange, PercentagesDoNotAddUp: R103.
    """
    values = [parse_percentage(text, f"--percentage {text}") for text in percentages]
    if not specs and not version_ids and not version_tags:
        if len(values) > 1:
            raise UnclearArguments(
                f"{len(values)} percentages, but no versions. Name each version with --version-id, or as v1@90%."
            )
        return NewestAt(values[0]) if values else None
    if len(values) > len(version_ids):
        raise UnclearArguments(
            f"{len(values)} --percentage for {len(version_ids)} --version-id; they go together by position."
        )
    shares = (
        *map(parse_spec, specs),
        *(VersionSpec(*pair) for pair in zip_longest(version_ids, values)),
        *map(parse_spec, version_tags),
    )
    check_percentages(shares)
    return shares


def parse_spec(text: str) -> VersionSpec:
    """Split ``v1@90%`` at the last '@', where a number follows it: tags may contain '@' (R104).

    Raises:
        UnclearArguments: No version is named.
        PercentageOutOfRange: R103.
    """
    found = _AT_PERCENTAGE.fullmatch(text)
    spec = (
        VersionSpec(text) if found is None else VersionSpec(found["version"], _in_range(found["percentage"], text))
    )
    if not spec.version:
        raise UnclearArguments(f"{text!r} names no version. Write it as v1@90%.")
    return spec


def parse_percentage(text: str, origin: str) -> float:
    """Return the number in ``10``, ``12.5`` or ``10%``; an error says that it came from ``origin``.

    Raises:
        UnclearArguments: It is no number.
        PercentageOutOfRange: R103.
    """
    found = _PERCENTAGE.fullmatch(text.strip())
    if found is None:
        raise UnclearArguments(
            f"{origin!r} holds no percentage. Give a number from 0 to 100, such as 12.5 or 10%."
        )
    return _in_range(found[1], origin)


def _in_range(number: str, origin: str) -> float:
    percentage = float(number)
    if not 0 <= percentage <= FULL:
        raise PercentageOutOfRange(percentage, origin)
    return percentage


def check_percentages(shares: Iterable[VersionSpec]) -> None:
    """Check the sum before the API does, with Cloudflare's text (R13, R103).

    Raises:
        PercentagesDoNotAddUp: Not 100; or over 100 where some versions share the rest.
    """
    given = list(shares)
    total = math.fsum(share.percentage for share in given if share.percentage is not None)
    some_share_the_rest = any(share.percentage is None for share in given)
    if total > FULL + SUM_TOLERANCE or (not some_share_the_rest and total < FULL - SUM_TOLERANCE):
        raise PercentagesDoNotAddUp(total)


def filled(shares: Sequence[VersionSpec]) -> tuple[VersionSpec, ...]:
    """Return the shares with what each version without a percentage will get (R45), to show it."""
    total = math.fsum(share.percentage for share in shares if share.percentage is not None)
    each = rest_for_each(total, sum(share.percentage is None for share in shares))
    return tuple(share if share.percentage is not None else share._replace(percentage=each) for share in shares)


def rest_for_each(given: float, count: int) -> float:
    """Return what each of ``count`` versions gets of what ``given`` leaves; wrangler rounds so too."""
    return round(max(FULL - given, 0.0) / count, 3) if count else 0.0


def newest_at(
    percentage: float, versions: Sequence[Version], active: Deployment | None
) -> tuple[VersionSpec, ...]:
    """Return what ``--percentage N`` alone means here (S4): the newest version N, the stable one the rest.

    Stable is the active deployment's version with the highest percentage, other than the newest. At 0 the newest
    leaves the deployment, at 100 the stable one does. ``versions`` holds at least one, in any order.

    Raises:
        DeploymentError: The newest version would share with another, and there is none.
    """
    newest = max(versions, key=lambda version: version["number"])["id"]
    if percentage == FULL:
        return (VersionSpec(newest, FULL),)
    others = [share for share in active["versions"] if share["version_id"] != newest] if active else []
    if not others:
        why = "no deployment is active" if active is None else "the newest version is the only one deployed"
        remedy = f"gateway versions deploy OTHER@{FULL - percentage:g}"
        raise DeploymentError(
            f"--percentage {percentage:g} leaves {FULL - percentage:g}% for the stable version, but {why}",
            remedy=f"{remedy} {newest[:8]}@{percentage:g}" if percentage else remedy,
        )
    stable = max(others, key=lambda share: share["percentage"])["version_id"]
    if percentage == 0:
        return (VersionSpec(stable, FULL),)
    shares = {stable: FULL - percentage, newest: percentage}
    return tuple(VersionSpec(version, shares[version]) for version in in_active_order(shares, active))


def in_active_order(version_ids: Iterable[str], active: Deployment | None) -> tuple[str, ...]:
    """Order versions as the active deployment lists them, then the others as given: no key flips back (R49)."""
    listed = [share["version_id"] for share in active["versions"]] if active else []
    given = list(version_ids)
    return (*(version for version in listed if version in given), *(v for v in given if v not in listed))


def parse_choice(text: str, count: int) -> tuple[int, ...]:
    """Return the positions (from 0) that ``1 3`` or ``1,3`` choose of a list numbered from 1.

    Raises:
        UnclearArguments: Not a number of the list, or one twice.
    """
    words = text.replace(",", " ").split()
    numbers = [int(word) if re.fullmatch("[0-9]{1,9}", word) else 0 for word in words]
    for word, number in zip(words, numbers, strict=True):
        if not 1 <= number <= count:
            raise UnclearArguments(f"{word!r} is not in the list. Enter numbers from 1 to {count}, such as: 1 2")
    if not numbers or len(set(numbers)) < len(numbers):
        raise UnclearArguments("Enter each number once, and at least one, such as: 1 2")
    return tuple(number - 1 for number in numbers)
