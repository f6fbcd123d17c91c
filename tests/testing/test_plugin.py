"""The plugin in other people's projects: fixtures, matrix, seeds, reports, modes."""

from __future__ import annotations

import re

import pytest

from tests.testing.projects import README, examples, plugin, run

pytest_plugins = ["pytester"]

THREE_DRAWS = """
async def test_draws(shop):
    await shop.deploy("shop", v1=50, v2=50)
    client = shop.client()
    tags = [(await client.get()).tag for _ in range(40)]
    assert tags == []
"""


def section(result: pytest.RunResult) -> list[str]:
    """Return what a failed test said of its edge."""
    text = result.stdout.str()
    assert "- gradual-gateway -" in text, text
    return [line for line in text.split("- gradual-gateway -")[1].splitlines()[1:] if line[:1] not in "-="]


def test_coroutines_share_their_loop_with_the_edge(pytester: pytest.Pytester) -> None:
    """Auto mode, with pytest-aiohttp installed; async fixtures may deploy, methods of classes are tests too."""
    result = run(
        pytester,
        """
import asyncio

@pytest.fixture
async def deployed(shop):
    await shop.deploy("shop", v1=100)
    yield shop
    assert len(shop.requests) == 1

async def test_function(deployed):
    assert isinstance(deployed, Edge)
    assert deployed.loop is asyncio.get_running_loop()
    assert_version(await deployed.client().get(), "v1")

class TestClass:
    async def test_method(self, deployed):
        assert_version(await deployed.client().get(), "v1")

async def test_asked_for_in_the_middle(request):
    edge = request.getfixturevalue("edge")
    edge.worker("shop", v1=make("v1"))
    await edge.deploy("shop", v1=100)
""",
    )
    result.assert_outcomes(passed=3)


def test_strict_mode(pytester: pytest.Pytester) -> None:
    """asyncio_mode strict: the mark is the test's business, and our fixtures need none."""
    result = run(
        pytester,
        """
@pytest.mark.asyncio
@pytest.mark.version_matrix("shop", ["v1"])
async def test_strict(shop, matrix):
    assert_version(await shop.client().get(), "v1")
""",
        mode="strict",
    )
    result.assert_outcomes(passed=1)


def test_anyio(pytester: pytest.Pytester) -> None:
    """Whoever makes the loop: the edge lives in it."""
    result = run(
        pytester,
        """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_anyio(shop):
    await shop.deploy("shop", v1=100)
    assert_version(await shop.client().get(), "v1")
""",
        "-p",
        "no:asyncio",
        "-p",
        "no:aiohttp",
        "-o",
        "addopts=",
        "-W",
        "ignore::pytest.PytestConfigWarning",
    )
    result.assert_outcomes(passed=1)


def test_plain_tests_and_any_client(pytester: pytest.Pytester) -> None:
    """With urllib and httpx against ``edge.url``; our own client without ``await``; explain, requests, objects."""
    result = run(
        pytester,
        """
import urllib.request
import httpx

def test_plain(edge):
    edge.worker("shop", v1=make("v1"), v2=make("v2"), classes={"Cart": "path:/cart/{name}"})
    assert edge.deploy("shop", v1=100, v2=0).number == 1
    with urllib.request.urlopen(edge.url) as answer:
        assert_version(answer, "v1")
    with httpx.Client(base_url=edge.url) as client:
        assert_version(client.get("/cart/7"), "v1")
    assert edge.client(override="v2").get("/").tag == "v2"
    assert [one.reason for one in edge.requests][:3] == ["percentage", "durable-object", "override"]
    assert [one.name for one in edge.objects("shop")] == ["7"]
    assert edge.explain("/", key="a").decision.reason == "affinity"
    edge.deploy_shares("shop", {"v2": 100})
    edge.client().get("/cart/7")
    assert_each_object_reset_at_most(edge, 1)
    with pytest.raises(AssertionError, match="Cart/7: 1 resets: v1 -> v2"):
        assert_each_object_reset_at_most(edge, 0)
""",
    )
    result.assert_outcomes(passed=1)


def test_an_application_of_a_whole_module_is_told_of(pytester: pytest.Pytester) -> None:
    """It is bound by aiohttp to the loop of the first test; the second says what to do."""
    result = run(
        pytester,
        """
APP = make("v1")()

@pytest.mark.parametrize("number", [1, 2])
async def test_shared(edge, number):
    edge.worker("shop", v1=APP)
    await edge.deploy("shop", v1=100)
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*version 'v1' of Worker 'shop'*ran in another test's event loop*"])
    result.stdout.fnmatch_lines(["*Give a function that makes it instead*"])


# The matrix.


def test_the_matrix_names_its_cases_and_deploys_them(pytester: pytest.Pytester) -> None:
    """Issue 5, item 4: each version, each ordered pair with a switch in mid-test, each split; with parametrize."""
    result = run(
        pytester,
        """
@pytest.mark.version_matrix("shop", ["v1", "v2"])
@pytest.mark.parametrize("path", ["/a", "/b"])
async def test_coroutine(shop, matrix, path):
    before = matrix.tags("shop")
    assert {(await shop.client().get(path)).tag for _ in range(30)} == set(before)
    await matrix.switch()
    assert {(await shop.client().get(path)).tag for _ in range(30)} == set(matrix.tags("shop"))
    assert ("->" in str(matrix)) == (before != matrix.tags("shop"))

@pytest.mark.version_matrix("shop", ["v1", "v2"])
def test_plain(matrix, shop):
    assert shop.client().get().tag in matrix.tags("shop")
    matrix.switch()
    assert shop.client().get().tag in matrix.tags("shop")
""",
        "-v",
    )
    result.assert_outcomes(passed=15)
    names = re.findall(r"::(test_\w+\[.*?\]) PASSED", result.stdout.str())
    assert [name for name in names if "plain" in name] == [
        f"test_plain[{case}]" for case in ("shop=v1", "shop=v2", "shop=v1->v2", "shop=v2->v1", "shop=v1:50,v2:50")
    ]
    assert "test_coroutine[shop=v1->v2-/b]" in names


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ('"shpo", ["v1"]', "*version_matrix, case shpo=v1: no Worker 'shpo' is declared (declared: 'shop')*"),
        (
            '"shop", ["v3"]',
            "*version_matrix, case shop=v3: Worker 'shop' has no version 'v3' (it has: 'v1', 'v2')*",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_worker_or_version_that_nobody_declared(
    pytester: pytest.Pytester, mark: str, told: str, kind: str
) -> None:
    """Clear errors where the Worker or the version is not known."""
    result = run(
        pytester,
        f"""
@pytest.mark.version_matrix({mark})
{kind} test_unknown(shop, matrix):
    raise SystemExit("it must not begin")
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([told, "*Declare them in a fixture that the test uses*"])


def test_a_test_that_never_switches_is_told_so(pytester: pytest.Pytester) -> None:
    """A case that proves what another proves already is no case; one that failed has something else to say."""
    result = run(
        pytester,
        """
@pytest.mark.version_matrix("shop", ["v1", "v2"], splits=())
async def test_coroutine(shop, matrix):
    pass

@pytest.mark.version_matrix("shop", ["v1", "v2"], splits=())
def test_plain(shop, matrix):
    pass
""",
    )
    result.assert_outcomes(passed=4, failed=4)
    result.stdout.fnmatch_lines(["*case shop=v1->v2: the test never called matrix.switch()*"])


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ('@pytest.mark.version_matrix("shop", "v1")\ndef test_it(matrix): ...', "*'v1' is no list of tags*"),
        ('@pytest.mark.version_matrix("shop", ["v1"])\ndef test_it(shop): ...', "*does not take `matrix`*"),
    ],
)
def test_a_wrong_mark_is_an_error_of_collection(pytester: pytest.Pytester, test: str, told: str) -> None:
    """Said before anything runs, in one line, with the test's name."""
    result = run(pytester, test)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([told])


def test_a_matrix_without_a_mark(pytester: pytest.Pytester) -> None:
    """The fixture alone knows no versions."""
    result = run(pytester, "def test_it(matrix): ...")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the test has no @pytest.mark.version_matrix*"])


# Seeds and reports.


def test_a_seed_repeats_every_draw_and_every_id(pytester: pytest.Pytester) -> None:
    """Issue 5: same seed, same decisions, byte for byte, five times; another seed, other ones."""
    told = [section(run(pytester, THREE_DRAWS, "--gateway-seed", "42")) for _ in range(5)]

    assert all(one == told[0] for one in told)
    assert told[0][0] == "gateway seed 42: repeat with --gateway-seed 42"
    assert told[0][1] == "40 requests, the last 20:"
    assert re.fullmatch(r"  GET / 200 shop=v[12] percentage at \d+\.\d{3}", told[0][2])
    assert section(run(pytester, THREE_DRAWS, "--gateway-seed", "43"))[2:] != told[0][2:]


def test_a_random_seed_is_printed_on_failure_and_repeats_it(pytester: pytest.Pytester) -> None:
    """Without the flag each run draws its own."""
    first = section(run(pytester, THREE_DRAWS))
    seed = first[0].split()[2].rstrip(":")

    assert section(run(pytester, THREE_DRAWS, "--gateway-seed", seed)) == first
    assert section(run(pytester, THREE_DRAWS))[0] != first[0]


def test_plain_tests_and_failed_fixtures_are_reported_too(pytester: pytest.Pytester) -> None:
    """Whatever failed, and wherever the loop runs."""
    result = run(
        pytester,
        """
@pytest.fixture
def broken(shop):
    raise RuntimeError("broken")

def test_fixture(broken): ...

def test_plain(shop):
    shop.deploy("shop", v1=100)
    shop.client().get("/here")
    assert False
""",
        "--gateway-seed",
        "5",
    )
    result.assert_outcomes(failed=1, errors=1)
    assert result.stdout.str().count("gateway seed 5") == 2
    result.stdout.fnmatch_lines(["  GET /here 200 shop=v1 percentage at *"])


def test_a_test_that_passes_says_nothing_and_prints_nothing(pytester: pytest.Pytester) -> None:
    """What the gateway logs goes where pytest catches logs, not where a test looks for its own output."""
    result = run(
        pytester,
        """
async def test_output(shop, capsys):
    await shop.deploy("shop", v1=100)
    await shop.client().get()
    assert capsys.readouterr() == ("", "")
""",
        "-rA",
    )
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*gateway seed*")


# Those who do not use it.


def test_a_project_that_does_not_use_it_pays_nothing(pytester: pytest.Pytester) -> None:
    """No fixture runs by itself, and nothing but the plugin is imported; its own ``edge`` is its own."""
    pytester.makepyfile(
        """
        import sys
        import pytest

        @pytest.fixture
        def edge():
            return "mine"

        def test_nothing(edge):
            assert edge == "mine"
            ours = {name for name in sys.modules if name.split(".")[0] == "gateway"}
            assert ours <= {"gateway", "gateway.testing", "gateway.testing.plugin"}
            assert not {"aiohttp", "structlog", "yaml", "uvloop"} & set(sys.modules) - THEIRS
        """.replace("THEIRS", "set()")
    )
    result = pytester.runpytest_subprocess(*plugin(), "-p", "no:asyncio", "-p", "no:aiohttp", "-p", "no:anyio")

    result.assert_outcomes(passed=1)


EXAMPLES = [*examples(), *examples(README)]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_docs_run(pytester: pytest.Pytester, number: int) -> None:
    """docs/testing.md and README, each program as it stands there, in strict mode and in auto mode."""
    for mode in ("strict", "auto"):
        result = run(pytester, EXAMPLES[number], mode=mode, head="")
        assert result.ret == 0
        assert result.parseoutcomes()["passed"] >= 1
