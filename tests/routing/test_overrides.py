"""The overrides header, value by value: what counts, and the documented cause where nothing does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.decision import IgnoredSignal, Signal
from gateway.model.version import WorkerName
from gateway.routing.overrides import can_be_overridden, overridden_version
from tests.model.examples import API, DIGIT_FIRST, SHOP, A, B, C, X

DEPLOYED = frozenset({A, B, DIGIT_FIRST})
UPLOADED = DEPLOYED | {C}

COUNTS = {
    "plain (R28)": f'shop="{B}"',
    "spaces around (RFC 8941 4.2)": f'   shop="{B}"   ',
    "several Workers (R28)": f'api="{X}", shop="{B}"',
    "no space behind the comma (R32)": f'api="{X}",shop="{B}"',
    "tab around the comma (R32)": f'api="{X}"\t,\tshop="{B}"',
    "last of two counts (R32)": f'shop="{A}", shop="{B}"',
    "last of two counts, first no String (R32)": f'shop, shop="{B}"',
    "last of two counts, first a Token (R32)": f'shop={A}, shop="{B}"',
    "parameter without value (R35)": f'shop="{B}";note',
    "parameter (R35)": f'shop="{B}";note=1',
    "space before the parameter's name (R35)": f'shop="{B}"; note=1',
    "String parameter (R35)": f'shop="{B}";q="x, y";r=tok',
    "parameters that repeat (R35)": f'shop="{B}";n=1;n=2',
    "escapes that spell the same id (R34)": f'shop="{B}", x="a\\"b\\\\c"',
    "other member a Token (R34)": f'api={X}, shop="{B}"',
    "other member a Boolean (R32)": f'api, shop="{B}"',
    "other member a number (R34)": f'api=12.5, shop="{B}"',
    "other member a byte sequence (R34)": f'api=:YWJj:, shop="{B}"',
    "other member an Inner List (R34)": f'api=("a" "b");x=1, shop="{B}"',
    "other member an empty Inner List (R34)": f'api=(), shop="{B}"',
    "other key starts with an asterisk (R33)": f'*a="x", shop="{B}"',
    "other key with dots and underscores (R33)": f'a_b.c*-1="x", shop="{B}"',
    "empty String elsewhere (R34)": f'api="", shop="{B}"',
    "comma within a String (R34)": f'api="a, b", shop="{B}"',
}


@pytest.mark.parametrize("header", COUNTS.values(), ids=COUNTS)
def test_a_dictionary_that_names_the_worker_counts(header: str) -> None:
    """R21, R28 and the rule in the case's name: the deployed version that the String names answers."""
    assert overridden_version(header, SHOP, DEPLOYED, UPLOADED) == B


def test_a_version_id_that_starts_with_a_digit_counts_in_quotes() -> None:
    """R34: in quotes the first character does not matter, unlike in a Token."""
    assert overridden_version(f'shop="{DIGIT_FIRST}"', SHOP, DEPLOYED, UPLOADED) == DIGIT_FIRST


IGNORED = {
    # Not a Dictionary of RFC 8941: the whole header is discarded (R30, R31).
    "token that starts with a digit (R34)": (f"shop={DIGIT_FIRST}", "not-a-dictionary"),
    "upper-case key elsewhere (R33)": (f'shop="{B}", Shop2="x"', "not-a-dictionary"),
    "upper-case key (R33)": (f'Shop="{B}"', "not-a-dictionary"),
    "upper-case letter within a key (R33)": (f'shop="{B}", aPi="x"', "not-a-dictionary"),
    "key starts with a digit (R33)": (f'1shop="{B}"', "not-a-dictionary"),
    "other key starts with a digit (R33)": (f'shop="{B}", 1shop="x"', "not-a-dictionary"),
    "key starts with an underscore (R33)": (f'_shop="{B}"', "not-a-dictionary"),
    "key with a slash (R33)": (f'shop="{B}", a/b="x"', "not-a-dictionary"),
    "trailing comma (R32)": (f'shop="{B}",', "not-a-dictionary"),
    "trailing comma and space (R32)": (f'shop="{B}", ', "not-a-dictionary"),
    "leading comma (R32)": (f', shop="{B}"', "not-a-dictionary"),
    "two commas (R32)": (f'shop="{B}",,api="x"', "not-a-dictionary"),
    "space before = (R32)": (f'shop ="{B}"', "not-a-dictionary"),
    "space behind = (R32)": (f'shop= "{B}"', "not-a-dictionary"),
    "no value behind = (R32)": ("shop=", "not-a-dictionary"),
    "leading tab (RFC 8941 4.2)": (f'\tshop="{B}"', "not-a-dictionary"),
    "semicolon between members (R32)": (f'shop="{B}"; api="x"; ', "not-a-dictionary"),
    "space between members (R32)": (f'shop="{B}" api="x"', "not-a-dictionary"),
    "parameter without name (R35)": (f'shop="{B}";', "not-a-dictionary"),
    "upper-case parameter (R33)": (f'shop="{B}";Note=1', "not-a-dictionary"),
    "space before the semicolon (R35)": (f'shop="{B}" ;note=1', "not-a-dictionary"),
    "single quotes (R34)": (f"shop='{B}'", "not-a-dictionary"),
    "no closing quote (R34)": (f'shop="{B}', "not-a-dictionary"),
    "no opening quote (R34)": (f'shop={B}"', "not-a-dictionary"),
    "unknown escape (R34)": (f'shop="{B}", x="\\n"', "not-a-dictionary"),
    "escape at the end (R34)": ('shop="\\', "not-a-dictionary"),
    "umlaut in a String (R34)": (f'shop="{B}", x="\u00fc"', "not-a-dictionary"),
    "DEL in a String (R34)": (f'shop="{B}", x="\x7f"', "not-a-dictionary"),
    "tab in a String (R34)": (f'shop="{B}", x="a\tb"', "not-a-dictionary"),
    "umlaut in a key (R33)": (f'shop="{B}", \u00fc="x"', "not-a-dictionary"),
    "no-break space around (R32)": (f'shop="{B}"\u00a0', "not-a-dictionary"),
    "16 digits (RFC 8941 3.3.1)": (f'shop="{B}", x=1234567890123456', "not-a-dictionary"),
    "four decimals (RFC 8941 3.3.2)": (f'shop="{B}", x=1.2345', "not-a-dictionary"),
    "plus sign (RFC 8941 3.3.1)": (f'shop="{B}", x=+1', "not-a-dictionary"),
    "bad Boolean (RFC 8941 3.3.6)": (f'shop="{B}", x=?2', "not-a-dictionary"),
    "bad byte sequence (RFC 8941 3.3.5)": (f'shop="{B}", x=:***:', "not-a-dictionary"),
    "open Inner List (RFC 8941 3.1.1)": (f'shop=("{B}"', "not-a-dictionary"),
    "nested Inner List (RFC 8941 3.1.1)": (f'shop=(("{B}"))', "not-a-dictionary"),
    "JSON (R28)": (f'{{"shop": "{B}"}}', "not-a-dictionary"),
    "only the id (R28)": (f'"{B}"', "not-a-dictionary"),
    "colon for = (R28)": (f'shop: "{B}"', "not-a-dictionary"),
    # A Dictionary that says nothing of this Worker.
    "empty (R21)": ("", "worker-not-named"),
    "spaces (R21)": ("   ", "worker-not-named"),
    "other Worker (R21)": (f'api="{B}"', "worker-not-named"),
    "longer name (R21)": (f'shop2="{B}"', "worker-not-named"),
    "shorter name (R21)": (f'sho="{B}"', "worker-not-named"),
    "asterisk is no wildcard (R33)": (f'*="{B}"', "worker-not-named"),
    # A member that is no String: it alone does not apply.
    "token (R34)": (f"shop={B}", "not-a-string"),
    "Boolean true by itself (R32)": ("shop", "not-a-string"),
    "Boolean true with parameter (R32)": ("shop;a=1", "not-a-string"),
    "Boolean (R34)": ("shop=?1", "not-a-string"),
    "number (R34)": ("shop=1", "not-a-string"),
    "decimal (R34)": ("shop=1.5", "not-a-string"),
    "byte sequence (R34)": ("shop=:YWJj:", "not-a-string"),
    "Inner List (R34)": (f'shop=("{B}")', "not-a-string"),
    "last of two is no String (R32)": (f'shop="{B}", shop', "not-a-string"),
    # A String that names no deployed version.
    "uploaded, not deployed (R29)": (f'shop="{C}"', "not-deployed"),
    "unknown version (R29)": (f'shop="{X}"', "unknown-version"),
    "empty String (R29)": ('shop=""', "unknown-version"),
    "upper-case id (R36)": (f'shop="{B.upper()}"', "unknown-version"),
    "prefix of an id (R36)": (f'shop="{B[:8]}"', "unknown-version"),
    "space within the quotes (R36)": (f'shop=" {B}"', "unknown-version"),
    "tag (R36)": ('shop="v2"', "unknown-version"),
    "last of two is unknown (R32)": (f'shop="{B}", shop="{X}"', "unknown-version"),
}


@pytest.mark.parametrize(("header", "cause"), IGNORED.values(), ids=IGNORED)
def test_any_other_value_is_ignored_with_its_cause(header: str, cause: str) -> None:
    """R25, R30 and the rule in the case's name: never an error, and the cause says what to mend."""
    found = overridden_version(header, SHOP, DEPLOYED, UPLOADED)

    assert isinstance(found, IgnoredSignal), found
    assert (found.signal, found.cause) == (Signal.OVERRIDE, cause)
    assert found.detail
    assert found.rule.startswith("R")


NEWER_TYPES = {"Date": "@1659578233", "Display String": '%"f%c3%bc"'}


@pytest.mark.parametrize("value", NEWER_TYPES.values(), ids=NEWER_TYPES)
def test_types_newer_than_rfc_8941_discard_the_header(value: str) -> None:
    """R28, R31: an RFC 8941 Dictionary has no Date and no Display String; they are parse failures."""
    found = overridden_version(f'shop="{B}", x={value}', SHOP, DEPLOYED, UPLOADED)

    assert isinstance(found, IgnoredSignal), found
    assert found.cause == "not-a-dictionary"


def test_one_header_speaks_to_each_worker_for_itself() -> None:
    """R28, R64: several Workers in one header; each takes its own member."""
    header = f'shop="{B}", api="{X}"'

    assert overridden_version(header, SHOP, DEPLOYED, UPLOADED) == B
    assert overridden_version(header, API, frozenset({X}), frozenset({X})) == X


def test_the_remedy_for_a_version_that_is_not_deployed_is_told() -> None:
    """R29: this costs users hours; the cause says that 0% is enough (R14)."""
    found = overridden_version(f'shop="{C}"', SHOP, DEPLOYED, UPLOADED)

    assert isinstance(found, IgnoredSignal)
    assert C in found.detail
    assert "0%" in found.detail


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_no_value_raises(header: str) -> None:
    """R25: none of these signals ever produces an error for the client, whatever the header's bytes."""
    found = overridden_version(header, SHOP, DEPLOYED, UPLOADED)

    assert isinstance(found, IgnoredSignal) or found in DEPLOYED


@given(st.text('shop=",;?:@%()*\\ \t1.-aA', max_size=60))
def test_no_value_of_the_grammars_own_characters_raises(header: str) -> None:
    """R25: the same for values that look like Structured Fields, where a parser has most to do."""
    found = overridden_version(header, SHOP, DEPLOYED, UPLOADED)

    assert isinstance(found, IgnoredSignal) or found in DEPLOYED


NAMES = {
    "shop": True,
    "a": True,
    "my-shop_2": True,
    "a1": True,
    "1shop": False,
    "_shop": False,
    "0": False,
}


@pytest.mark.parametrize(("name", "reachable"), NAMES.items())
def test_which_workers_a_header_can_name(name: str, reachable: bool) -> None:
    """R33: a key is ``(a-z or *)`` then ``a-z 0-9 _ - . *``; a Worker that starts otherwise can never be named."""
    found = overridden_version(f'{name}="{A}"', WorkerName(name), DEPLOYED, UPLOADED)

    assert can_be_overridden(WorkerName(name)) is reachable
    assert (found == A) is reachable
