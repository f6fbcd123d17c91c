"""``wrangler versions deploy`` at a terminal: which versions, what percentage of each, a message."""

from __future__ import annotations

from tests.wrangler.making import MakeProject, with_both_wranglers

SPACE, ENTER, DOWN = " ", "\r", "\x1b[B"


@with_both_wranglers
def test_versions_deploy_asks(make_project: MakeProject) -> None:
    """R102: a multi-select, then one percentage each, then the message; the answers become the deployment."""
    project = make_project("tracker", "asked")
    a = project.api.deploy()
    b = project.api.upload(tag="b-tag")

    with project.at_terminal("versions", "deploy") as terminal:
        terminal.sees("Which version(s) do you want to deploy?", b, "b-tag", a)
        for key in (SPACE, DOWN, SPACE, ENTER):
            terminal.types(key)
        terminal.sees("2 Worker Version(s) selected", "Worker Version 1", "receive?")
        terminal.types("20" + ENTER)
        terminal.sees(" of traffic", "Worker Version 2", "receive?")
        terminal.types("80" + ENTER)
        terminal.sees(" of traffic", "Add a deployment message")
        terminal.types("a fifth" + ENTER)
        code, text = terminal.ends()

    assert code == 0, text
    assert f"version {b} at 20% and version {a} at 80%" in text
    active = project.api.get("deployments")["deployments"][0]
    assert active["versions"] == [{"version_id": b, "percentage": 20}, {"version_id": a, "percentage": 80}]
    assert active["annotations"]["workers/message"] == "a fifth"
