"""``wrangler tail``, pretty and JSON: requests, logs, exceptions, object calls, with the version that answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.integration.http_client import Caller
from tests.integration.waiting import wait_for
from tests.wrangler.making import MakeProject, with_both_wranglers
from tests.wrangler.wrangler import Project, Running


def call(project: Project, path: str) -> int:
    """Request a page and return its status."""
    with Caller(project.edge, project.host) as caller:
        return caller.call(path).status


def events_of(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects that were printed one after another, each over many lines."""
    decoder, events, place = json.JSONDecoder(), [], 0
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        try:
            event, place = decoder.raw_decode(text, place)
        except ValueError:  # the last one is still being printed
            break
        events.append(event)
    return events


def path_of(event: dict[str, Any]) -> str:
    """Return the path of a request's event, or nothing for other events."""
    url = (event.get("event") or {}).get("request", {}).get("url", "")
    return "/" + url.partition("://")[2].partition("/")[2] if url else ""


def method_of(event: dict[str, Any]) -> str | None:
    """Return the method of an object's call, or nothing for other events."""
    return (event["event"] or {}).get("rpcMethod")


def has_logged(event: dict[str, Any], word: str) -> bool:
    """Tell whether a log line of the event begins with a word."""
    return any(log["message"][:1] == [word] for log in event["logs"])


def until_connected(project: Project, tail: Running) -> None:
    """Wait until the tail shows requests; with JSON it does not say that it is connected."""

    def seen() -> bool:
        call(project, "/log/waiting")
        return "/log/waiting" in tail.out

    wait_for(seen, "the tail to show a request")


def event(tail: Running, matches: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    """Return the first event that matches, once it is printed."""
    return wait_for(lambda: next(filter(matches, events_of(tail.out)), None), what)


@with_both_wranglers
def test_tail_as_json(make_project: MakeProject) -> None:
    """R112: what the API sends for requests, objects, alarms and crons, as programs read it."""
    project = make_project("tracker", "tailed", triggers={"crons": ["7 4 * * *"]})
    a = project.wrangler("deploy", "--upload-source-maps").entry("deploy")["version_id"]

    with project.in_background("tail", "--format", "json") as tail:
        until_connected(project, tail)
        for path in ("/log/hello", "/fail/now", "/o/somebody", "/refuse/somebody", "/wake/somebody"):
            call(project, path)
        project.edge.api.trigger_cron(project.name)

        logged = event(tail, lambda event: path_of(event) == "/log/hello", "the request that logs")
        failed = event(tail, lambda event: path_of(event) == "/fail/now", "the request that fails")
        called = event(tail, lambda event: method_of(event) == "info", "the object's call")
        refused = event(tail, lambda event: method_of(event) == "refuse", "the object's exception")
        woken = event(tail, lambda event: has_logged(event, "alarm"), "the alarm")
        ticked = event(tail, lambda event: has_logged(event, "cron"), "the cron")
        everything = tail.out
        tail.interrupt()

    assert (logged["outcome"], logged["event"]["response"]["status"]) == ("ok", 200)
    assert [log["message"] for log in logged["logs"]] == [["page", "hello", {"release": "A"}]]
    assert logged["wallTime"] >= 0
    assert (failed["outcome"], failed["exceptions"][0]["name"]) == ("exception", "TypeError")
    assert failed["exceptions"][0]["message"] == "as asked: now"
    assert "src/index.js" in failed["exceptions"][0]["stack"]
    assert (refused["outcome"], refused["exceptions"][0]["name"]) == ("exception", "RangeError")
    assert called["entrypoint"] == "VersionTracker"
    assert len(called["durableObjectId"]) == 64
    assert woken["logs"][0]["message"] == ["alarm", called["durableObjectId"]]
    assert "scheduledTime" in woken["event"]
    assert ticked["event"]["cron"] == "7 4 * * *"
    for seen in (logged, failed, called, refused, woken, ticked):
        assert (seen["scriptName"], seen["scriptVersion"]["id"]) == (project.name, a)
    assert "__gateway" not in everything.lower()
    assert "x-gateway-" not in everything.lower()


@with_both_wranglers
def test_tail_for_people(make_project: MakeProject) -> None:
    """It says that it listens, then a line for each request and one for each log; Ctrl-C ends the tail."""
    project = make_project("tracker", "pretty")
    project.api.deploy()

    with project.in_background("tail", "--format", "pretty") as tail:
        wait_for(lambda: f"Connected to {project.name}, waiting for logs..." in tail.out, "the tail to connect")
        call(project, "/log/hello")
        call(project, "/fail/now")

        wait_for(lambda: "TypeError: as asked: now" in tail.err, "the exception")
        shown = tail.out
        tail.interrupt()

    wait_for(lambda: project.api.get("tails") is None, "the tail to be gone with its listener")
    assert "/log/hello - Ok @ " in shown
    assert "(log) page hello" in shown


@with_both_wranglers
def test_a_tail_shows_only_what_was_asked_for(make_project: MakeProject) -> None:
    """R106: one version, and only what failed."""
    project = make_project("tracker", "filtered")
    a, b = project.api.deploy(), project.api.upload()
    project.api.split({a: 50, b: 50})

    with project.in_background("tail", "--format", "json", "--version-id", b, "--status", "error") as tail:

        def enough() -> bool:
            call(project, "/fail/now")
            call(project, "/log/hello")
            return len(events_of(tail.out)) >= 10

        wait_for(enough, "ten events")
        events = events_of(tail.out)

    assert {event["scriptVersion"]["id"] for event in events} == {b}
    assert {path_of(event) for event in events} == {"/fail/now"}
