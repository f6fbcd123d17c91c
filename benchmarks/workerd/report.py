"""Figures of versions on workerd -> Markdown, by the rules of ``benchmarks/report.py``. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from benchmarks.figures import (
    BARE_WORKERD,
    GATEWAY,
    OTHER_PROCESS,
    OWN_PROCESS,
    WRANGLER_DEV,
    LoadRound,
    MoveResult,
    MoveRow,
    NotMeasured,
    ObjectCallRow,
    UploadResult,
    WorkerdFigures,
    WorkerdGetRow,
)
from benchmarks.tables import NONE, Goal, cell, number, paired_ratios, spread, table

WRANGLER_RATIO_GOAL = 10.0
BARE_RATIO_GOAL = 0.6
_MIB = 1024 * 1024
_LABELS = {
    BARE_WORKERD: "bare workerd",
    WRANGLER_DEV: "`wrangler dev`",
    GATEWAY: "**gateway**",
    OWN_PROCESS: "**gateway**, object in the same version",
    OTHER_PROCESS: "**gateway**, object in the other version",
}


def sections(figures: WorkerdFigures) -> list[str]:
    """Return the report's sections about what was asked for."""
    found = []
    if figures.get is not None:
        found.append(_get_section(figures.get))
    if figures.calls is not None:
        found.append(_call_section(figures.calls))
    if figures.moves is not None:
        found.append(_move_section(figures.moves))
    if figures.uploads is not None:
        found.append(_upload_section(figures.uploads))
    return found


def _clean(rounds: Iterable[LoadRound]) -> list[LoadRound]:
    return [one for one in rounds if one.errors == 0]


def _errors(rounds: Sequence[LoadRound]) -> str:
    bad = [one for one in rounds if one.errors]
    if not bad:
        return "0"
    return f"**{sum(one.errors for one in bad):,} in {len(bad)} of {len(rounds)} rounds (left out)**"


def _rates(row: object) -> list[float | None]:
    """Return the rate of every round, None for those with errors, so that rounds still pair by number."""
    if not isinstance(row, WorkerdGetRow):
        return []
    return [one.requests_per_second if one.errors == 0 else None for one in row.rounds]


def _missing_row(name: str, row: NotMeasured, columns: int) -> list[str]:
    return [_LABELS[name], "missing" if row.missing else "UNUSABLE", *[NONE] * (columns - 2)]


def _reason(what: str, row: NotMeasured) -> list[str]:
    """Return why there are no figures, and the last lines of the program's output."""
    told = [f"{what}: {'missing' if row.missing else 'unusable'}: {row.why}."]
    return [*told, "\n".join(["```text", *row.detail, "```"])] if row.detail else told


def _reasons(rows: Mapping[str, object]) -> list[str]:
    return [
        line for name, row in rows.items() if isinstance(row, NotMeasured) for line in _reason(_LABELS[name], row)
    ]


def _get_section(rows: Mapping[str, WorkerdGetRow | NotMeasured]) -> str:
    head = (
        "way to run it", "requests/s", "ratio to bare workerd", "p50 µs", "p99 µs", "CPU µs/request",
        "of these workerd", "errors",
    )  # fmt: skip
    use_head = ("way to run it", "start to first answer, s", "memory MiB", "of these workerd", "processes")
    lines, use_lines = [], []
    for name, row in rows.items():
        if isinstance(row, NotMeasured):
            lines.append(_missing_row(name, row, len(head)))
            continue
        clean = _clean(row.rounds)
        lines.append(
            [
                _LABELS[name],
                spread([one.requests_per_second for one in clean]),
                spread(paired_ratios(_rates(row), _rates(rows.get(BARE_WORKERD))), "{:.2f}".format),
                spread([one.p50_us for one in clean]),
                spread([one.p99_us for one in clean]),
                spread([one.cpu_us_per_request for one in clean if one.cpu_us_per_request is not None]),
                spread(row.workerd_cpu_us),
                _errors(row.rounds),
            ]
        )
        use_lines.append(
            [
                _LABELS[name],
                spread(row.startup_seconds, "{:.2f}".format),
                f"{row.memory_bytes / _MIB:.0f}",
                f"{row.workerd_memory_bytes / _MIB:.0f}",
                f"{row.processes}, {row.workerd_processes} of them workerd",
            ]
        )
    note = (
        '`new Response("ok")`, keep-alive, 32 connections; the same workerd for all, nothing pinned to a core.'
        " Bare workerd has a configuration as one writes it by hand. `wrangler dev` runs in its local mode; its"
        " inspector cannot be turned off, and nobody connects to it. Memory is the resident memory of all its"
        " processes after the rounds, which last 2 s at most."
        " The gateway starts on the state of the run before, which knows the Worker."
    )
    return "\n\n".join(
        [
            "## Small GET to a version on workerd (`workerd-get`)",
            note,
            table(head, lines),
            table(use_head, use_lines),
            *_reasons(rows),
        ]
    )


def _call_section(rows: Mapping[str, ObjectCallRow | NotMeasured]) -> str:
    head = ("where the object runs", "p50 µs, 1 connection", "p99 µs, 1 connection", "requests/s, 32 connections",
            "p50 µs, 32 connections", "p99 µs, 32 connections", "errors")  # fmt: skip
    lines = []
    for name, row in rows.items():
        if isinstance(row, NotMeasured):
            lines.append(_missing_row(name, row, len(head)))
            continue
        one, many = _clean(row.one), _clean(row.many)
        lines.append(
            [
                _LABELS[name],
                spread([found.p50_us for found in one]),
                spread([found.p99_us for found in one]),
                spread([found.requests_per_second for found in many]),
                spread([found.p50_us for found in many]),
                spread([found.p99_us for found in many]),
                _errors([*row.one, *row.many]),
            ]
        )
    note = (
        "A GET whose handler makes one call by RPC to a Durable Object that only returns a value. A deployment"
        " 50/50; requests go to the first version's URL, names are chosen by where the object table says that the"
        " object runs, and each answer said the same before the rounds. Rounds of 1 s."
    )
    return "\n\n".join(
        ["## Calls to Durable Objects on workerd (`workerd-calls`)", note, table(head, lines), *_reasons(rows)]
    )


def _move_section(result: MoveResult | NotMeasured) -> str:
    title = "## Moves of Durable Objects between versions on workerd (`workerd-moves`)"
    if isinstance(result, NotMeasured):
        return "\n\n".join([title, *_reason("moves", result)])
    head = (
        "objects",
        "deployment s",
        "µs/object",
        "longest call meanwhile ms",
        "calls meanwhile",
        "usual call ms",
    )
    note = (
        "A deployment from 100/0 to 0/100 or back, under the rule `hash`: wall time of the API's answer. Both"
        " processes run before it. Meanwhile one client calls an object that is pinned and does not move, over one"
        " connection. Resident objects were each called, and wrote to their storage, just before; dormant ones are"
        f" empty databases that the gateway found at its start, which took {result.start_seconds:.1f} s."
    )
    rows = {"resident": result.resident, "dormant": result.dormant}
    return "\n\n".join([title, note, table(head, [_move_line(name, row) for name, row in rows.items()])])


def _move_line(name: str, row: MoveRow) -> list[str]:
    def of(value: Callable[[int], float], text: Callable[[float], str] = number) -> str:
        return spread([value(index) for index in range(len(row.rounds))], text)

    return [
        f"{row.objects:,} {name}",
        of(lambda index: row.rounds[index].seconds, "{:.2f}".format),
        of(lambda index: row.rounds[index].seconds * 1e6 / row.objects),
        of(lambda index: row.rounds[index].longest_call_ms),
        of(lambda index: row.rounds[index].calls, "{:,.0f}".format),
        of(lambda index: row.rounds[index].usual_call_ms, "{:.2f}".format),
    ]


def _upload_section(result: UploadResult | NotMeasured) -> str:
    title = "## Uploads of a small Worker (`workerd-uploads`)"
    if isinstance(result, NotMeasured):
        return "\n\n".join([title, *_reason("uploads", result)])
    note = (
        "The upload as wrangler sends it (`POST versions`), checked by workerd before it is acknowledged; then the"
        f" first request through the version's URL, which starts its process."
        f" {len(result.acknowledged_ms)} of each."
    )
    rows = [
        ["upload acknowledged", spread(result.acknowledged_ms)],
        ["first answer of a sleeping version", spread(result.first_answer_ms)],
    ]
    return "\n\n".join([title, note, table(("what", "ms"), rows)])


def goals(figures: WorkerdFigures) -> list[Goal]:
    """Return the goals of versions on workerd and what became of each."""
    targets = {
        WRANGLER_DEV: (WRANGLER_RATIO_GOAL, f"≥ {WRANGLER_RATIO_GOAL:g} x `wrangler dev` in requests/s"),
        BARE_WORKERD: (BARE_RATIO_GOAL, f"≥ {BARE_RATIO_GOAL} of bare workerd in requests/s"),
    }
    return [_get_goal(figures.get or {}, other, least, target) for other, (least, target) in targets.items()]


def _get_goal(rows: Mapping[str, WorkerdGetRow | NotMeasured], other: str, least: float, target: str) -> Goal:
    what = f"small GET on workerd, against {_LABELS[other]}"
    own = rows.get(GATEWAY)
    failure = _failure(own)
    ratios = paired_ratios(_rates(own), _rates(rows.get(other)))
    if not ratios:
        return Goal(what, target, failure or NONE, False if failure else None)
    measured = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    if failure:
        measured += f"; {failure}"
    return Goal(what, target, measured, median(ratios) >= least and not failure)


def _failure(row: WorkerdGetRow | NotMeasured | None) -> str | None:
    """Return why a goal is missed whatever the figures say: the gateway ran, and failed at times or always."""
    if isinstance(row, NotMeasured):
        return None if row.missing else f"unusable: {cell(row.why)}"
    errors = sum(one.errors for one in row.rounds) if row is not None else 0
    return f"{errors:,} errors" if errors else None
