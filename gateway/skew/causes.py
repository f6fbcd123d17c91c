"""Why two requests that belong together met different versions: the first of these that holds (pure).

====================  ==========================================================================================
object-version        one of them went to a Durable Object, whose version nothing else decides (R50)
named-version         one of them named its version, by override or version URL, and the other did not (R20, R21)
not-deployed          the version of the first is deployed no longer
no-key                neither had an affinity key: each was drawn (R24)
key-missing           one had a key, the other had none (R42)
keys-differ           both had a key, but not the same
moved-by-deployment   one key, but another deployment (R38, R49)
late-propagation      one key and one deployment: only a deployment that is not everywhere yet does that (R17)
====================  ==========================================================================================
"""

from __future__ import annotations

from gateway.skew.facts import DeploymentSeen, Witness
from gateway.skew.incident import Cause

_NAMES_ITS_VERSION = frozenset({"override", "version-url"})
_KEY_HEADER = "Cloudflare-Workers-Version-Key"


def cause_of(before: Witness, after: Witness, deployment: DeploymentSeen | None) -> Cause:
    """Return why two requests met different versions.

    Args:
        deployment: The one in force at the second request, where it is known.
    """
    if "durable-object" in (before.reason, after.reason):
        return _object_version(before, after)
    if (before.reason in _NAMES_ITS_VERSION) or (after.reason in _NAMES_ITS_VERSION):
        return _named_version(before, after)
    if deployment is not None and not deployment.holds(before.version_id):
        return not_deployed(before, deployment)
    return _of_keys(before, after, deployment)


def _of_keys(before: Witness, after: Witness, deployment: DeploymentSeen | None) -> Cause:
    if not before.key and not after.key:
        return _no_key(before, after)
    if not before.key or not after.key:
        return _key_missing(before, after)
    return _keys_differ(before, after) if before.key != after.key else _moved(before, after, deployment)


def _object_version(before: Witness, after: Witness) -> Cause:
    other = after if after.reason == "durable-object" else before
    return Cause(
        "object-version",
        f"{other.object or 'The Durable Object'} runs on {other.label}, whichever version asks: neither key nor "
        "override decides an object's version.",
        "Let both versions understand each other's calls for as long as both are deployed (R51), or pin the "
        "object (`gateway objects pin`).",
        ("R50", "R51"),
    )


def _named_version(before: Witness, after: Witness) -> Cause:
    named, other = (before, after) if before.reason in _NAMES_ITS_VERSION else (after, before)
    how = "override" if named.reason == "override" else "version URL"
    return Cause(
        "named-version",
        f"{_shown(named)} named {named.label} by {how}; {_shown(other)} did not, and met {other.label} by "
        f"{other.reason}.",
        "Send Cloudflare-Workers-Version-Overrides with every request of the page (R21), or open it at the "
        "version's URL and link to files without a host (R20).",
        ("R20", "R21"),
    )


def not_deployed(before: Witness, deployment: DeploymentSeen) -> Cause:
    """Return the cause of whatever a page suffers whose version is deployed no longer."""
    how = "The rollback to" if deployment.triggered_by == "rollback" else "Deployment"
    number = f"{_split(deployment)} (deployment {deployment.number})" if "rollback" in how else deployment.number
    return Cause(
        "not-deployed",
        f"{how} {number} took {before.label} out of service after {_shown(before)} was answered.",
        f"No signal reaches a version that is not deployed (R29): keep {before.label} in the deployment, be it at "
        "0 %, until its pages are gone, or keep its files and calls working in the versions that follow (R82).",
        ("R29", "R82"),
    )


def _no_key(before: Witness, after: Witness) -> Cause:
    return Cause(
        "no-key",
        f"Neither request had an affinity key, so each was drawn by itself: {_point(before)}, {_point(after)}.",
        f"Send {_KEY_HEADER} with a value of the user, the session or the address, such as from a cookie "
        "(R23, R84).",
        ("R24", "R84"),
    )


def _key_missing(before: Witness, after: Witness) -> Cause:
    with_key, without = (before, after) if before.key else (after, before)
    return Cause(
        "key-missing",
        f"{_shown(with_key)} had an affinity key, {_shown(without)} had none and was drawn.",
        f"Send {_KEY_HEADER} from the first request on: from the address where there is no cookie yet (R42), and "
        "with files as well as pages (R26).",
        ("R42", "R26"),
    )


def _keys_differ(before: Witness, after: Witness) -> Cause:
    return Cause(
        "keys-differ",
        f"The two requests had different affinity keys: {_point(before)}, {_point(after)}.",
        "Take the key from what stays the same for a whole session, not from the path or the time (R26, R37).",
        ("R37", "R26"),
    )


def _moved(before: Witness, after: Witness, deployment: DeploymentSeen | None) -> Cause:
    if before.deployment == after.deployment or deployment is None:
        return Cause(
            "late-propagation",
            f"Both requests had the same key under deployment {after.deployment}; one of them still met the split "
            "before it.",
            "Wait a few seconds after a deployment (R17).",
            ("R17", "R37"),
        )
    return Cause(
        "moved-by-deployment",
        f"Deployment {deployment.number} ({_split(deployment)}) moved the key from {before.label} to "
        f"{after.label}.",
        "Raise the new version's percentage and keep the order: then a key moves once, to the new version "
        "(R38, R49). What a session began on one version the other must be able to go on with.",
        ("R38", "R49"),
    )


def _split(deployment: DeploymentSeen) -> str:
    return ", ".join(f"{share.label} {share.percentage:g}%" for share in deployment.versions)


def _shown(witness: Witness) -> str:
    return f"{witness.method} {witness.path}"


def _point(witness: Witness) -> str:
    where = "" if witness.point is None else f" at {witness.point:.1f}"
    return f"{_shown(witness)} met {witness.label}{where}"
