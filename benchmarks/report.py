"""Figures -> Markdown. Pure: no clock, no files, no measuring.

The rules of the tables: medians over rounds, with the smallest and largest round beside them; a ratio is the
median of the ratios round by round, as the rounds of one number ran next to each other; a round with errors
is counted, and left out of every figure.
"""

from collections.abc import Callable, Mapping
from statistics import median

from benchmarks.figures import (
    AIOHTTP,
    DIRECT,
    GATEWAY,
    HAPROXY,
    NGINX,
    NGINX_LARGE_BUFFERS,
    BodyResult,
    BodyRow,
    Figures,
    LoadResult,
    LoadRound,
    Machine,
    NotMeasured,
    ObjectTableFigures,
    StartupResult,
    WebSocketResult,
    WebSocketRow,
)
from benchmarks.tables import NONE, Goal, cell, number, paired_ratios, spread, table
from benchmarks.workerd import report as workerd_report

_LABELS = {
    DIRECT: "no proxy",
    NGINX: "nginx `split_clients`",
    NGINX_LARGE_BUFFERS: "nginx, large buffers",
    HAPROXY: "HAProxy",
    AIOHTTP: "plain aiohttp proxy",
    GATEWAY: "**gateway**",
}
# Below this a proxy was waiting for wrk or the upstream, and requests/s tell of them instead.
_SATURATED_SHARE = 0.95
_MIB = 1024 * 1024

GET_RATIO_GOAL = 0.85
AIOHTTP_RATIO_GOAL = 10.0
ADDED_LATENCY_GOAL = 1.3
BODY_RATIO_GOAL = 0.8
BODY_GROWTH_GOAL_MIB = 16
WEBSOCKETS_GOAL = 5_000
WEBSOCKET_KIB_GOAL = 20
OBJECT_MEMORY_GOAL_MB = 300
FIRST_ACCESS_GOAL_US = 20
LATER_ACCESS_GOAL_US = 3
NEW_DEPLOYMENT_GOAL_MS = 100
STARTUP_GOAL_SECONDS = 1.0


# -- rows without figures --------------------------------------------------------------------------------


def _not_measured_row(name: str, row: NotMeasured, columns: int) -> list[str]:
    word = "missing" if row.missing else "UNUSABLE"
    return [_LABELS[name], word, *[NONE] * (columns - 2)]


def _reasons(rows: Mapping[str, object]) -> list[str]:
    """Return a paragraph for each row without figures: why, and the last lines of the program's output."""
    paragraphs = []
    for name, row in rows.items():
        if isinstance(row, NotMeasured):
            word = "missing" if row.missing else "unusable"
            paragraphs.append(f"{_LABELS[name]}: {word}: {row.why}.")
            if row.detail:
                paragraphs.append("\n".join(["```text", *row.detail, "```"]))
    return paragraphs


# -- requests --------------------------------------------------------------------------------------------


def _clean(row: object) -> tuple[LoadRound, ...]:
    return tuple(r for r in row if r.errors == 0) if isinstance(row, tuple) else ()


def _rates(row: object) -> list[float | None]:
    """Return the rate of every round, None for those with errors, so that rounds still pair by number."""
    return [r.requests_per_second if r.errors == 0 else None for r in row] if isinstance(row, tuple) else []


def _error_count(row: object) -> int:
    return sum(r.errors for r in row) if isinstance(row, tuple) else 0


def _load_errors(row: tuple[LoadRound, ...]) -> str:
    bad = [r for r in row if r.errors]
    if not bad:
        return "0"
    non_2xx, socket_errors = sum(r.non_2xx for r in bad), sum(r.socket_errors for r in bad)
    return (
        f"**{non_2xx:,} non-2xx, {socket_errors:,} socket errors in {len(bad)} of {len(row)} rounds (left out)**"
    )


def _load_section(result: LoadResult) -> str:
    head = ("proxy", "requests/s", "ratio to nginx", "CPU µs/request", "core busy", "p50 µs", "p99 µs", "errors")
    rows = []
    for name, row in result.rows.items():
        if isinstance(row, NotMeasured):
            rows.append(_not_measured_row(name, row, len(head)))
            continue
        clean = _clean(row)
        cpu = [r.cpu_us_per_request for r in clean if r.cpu_us_per_request is not None]
        busy = [r.busy_share for r in clean if r.busy_share is not None]
        rows.append(
            [
                _LABELS[name],
                spread([r.requests_per_second for r in clean]),
                spread(paired_ratios(_rates(row), _rates(result.rows.get(NGINX))), "{:.2f}".format),
                spread(cpu),
                f"{median(busy):.0%}" if busy else NONE,
                spread([r.p50_us for r in clean]),
                spread([r.p99_us for r in clean]),
                _load_errors(row),
            ]
        )
    parts = [f"## {result.title} (`{result.name}`)", result.note, table(head, rows)]
    if result.name == "latency":
        parts.append(_added_latency(result))
    else:
        parts.extend(_idle_proxies(result))
    return "\n\n".join([*parts, *_reasons(result.rows)])


def _idle_proxies(result: LoadResult) -> list[str]:
    idle = []
    for name, row in result.rows.items():
        busy = [r.busy_share for r in _clean(row) if r.busy_share is not None]
        if busy and median(busy) < _SATURATED_SHARE:
            idle.append(f"{_LABELS[name]} ({median(busy):.0%})")
    if not idle:
        return []
    text = (
        f"Not the limit itself: {', '.join(idle)} did not fill the core: wrk and the upstream, or other programs"
        " on this machine, set the requests/s. CPU per request hardly depends on that."
    )
    return [text]


def _added_us(result: LoadResult, name: str, which: Callable[[LoadRound], float]) -> float | None:
    """Return the latency a proxy adds to that of the upstream alone."""
    ours, direct = _clean(result.rows.get(name)), _clean(result.rows.get(DIRECT))
    return median(map(which, ours)) - median(map(which, direct)) if ours and direct else None


def _p50(load_round: LoadRound) -> float:
    return load_round.p50_us


def _p99(load_round: LoadRound) -> float:
    return load_round.p99_us


def _added_latency(result: LoadResult) -> str:
    rows = []
    for name in result.rows:
        p50, p99 = _added_us(result, name, _p50), _added_us(result, name, _p99)
        if name == DIRECT or p50 is None or p99 is None:
            continue
        nginx = (_added_us(result, NGINX, _p50), _added_us(result, NGINX, _p99))
        ratios = [f"{own / other:.2f}" if other else NONE for own, other in zip((p50, p99), nginx, strict=True)]
        rows.append([_LABELS[name], number(p50), ratios[0], number(p99), ratios[1]])
    if not rows:
        return "Added latency: not measured, as there are no figures without a proxy."
    head = ("added to the upstream alone", "p50 µs", "ratio to nginx", "p99 µs", "ratio to nginx")
    return table(head, rows)


# -- bodies, WebSockets, start-up, objects ---------------------------------------------------------------


def _body_rates(row: object) -> list[float | None]:
    return [r.mb_per_second for r in row.rounds] if isinstance(row, BodyRow) and not row.errors else []


def _body_section(result: BodyResult) -> str:
    head = ("proxy", "MB/s", "ratio to nginx", "CPU ms/100 MB", "memory growth MiB", "errors")
    rows = []
    for name, row in result.rows.items():
        if isinstance(row, NotMeasured):
            rows.append(_not_measured_row(name, row, len(head)))
            continue
        cpu = [r.cpu_ms_per_100_mb for r in row.rounds if r.cpu_ms_per_100_mb is not None]
        rounds = len(row.rounds) + len(row.errors)
        rows.append(
            [
                _LABELS[name],
                spread([r.mb_per_second for r in row.rounds]),
                spread(paired_ratios(_body_rates(row), _body_rates(result.rows.get(NGINX))), "{:.2f}".format),
                spread(cpu),
                NONE if row.growth_bytes is None else f"{row.growth_bytes / _MIB:.1f}",
                f"**{len(row.errors)} of {rounds} rounds (left out)**: {cell(row.errors[0])}"
                if row.errors
                else "0",
            ]
        )
    return "\n\n".join(
        [f"## {result.title} (`{result.name}`)", result.note, table(head, rows), *_reasons(result.rows)]
    )


def _websocket_section(result: WebSocketResult) -> str:
    head = ("proxy", "open", "alive at the end", "KiB/connection", "seconds to open", "CPU s while silent")
    rows = []
    paragraphs = []
    for name, row in result.rows.items():
        if isinstance(row, NotMeasured):
            rows.append(_not_measured_row(name, row, len(head)))
            continue
        rows.append(
            [
                _LABELS[name],
                f"{row.opened:,}",
                f"{row.alive:,}",
                f"{row.kib_per_connection:.1f}",
                f"{row.connect_seconds:.1f}",
                f"{row.cpu_seconds_while_idle:.2f}",
            ]
        )
        if row.first_failure:
            paragraphs.append(f"{_LABELS[name]}: the first failure: {row.first_failure}.")
    limit = ""
    if result.asked < result.wanted:
        limit = f" Only {result.asked:,} instead of {result.wanted:,}: the limit on open files allows no more."
    note = (
        f"{result.asked:,} WebSockets through one proxy after the other, {result.idle_seconds:g} s silent, then"
        " one echo each within 30 s. Memory is the resident memory of the proxy's processes, without the kernel's"
        f" socket buffers. The plain aiohttp proxy does not forward WebSockets.{limit}"
    )
    return "\n\n".join(
        [
            f"## {result.asked:,} idle WebSockets (`websockets`)",
            note,
            table(head, rows),
            *paragraphs,
            *_reasons(result.rows),
        ]
    )


def _startup_section(result: StartupResult | NotMeasured) -> str:
    title = "## Start-up to listening (`startup`)"
    note = (
        "`config/gateway.yaml`, from the start of the process until `run.json` is there and the port accepts; not"
        " pinned to a core. One start before the first is not counted, as it compiles Python's modules."
    )
    if isinstance(result, NotMeasured):
        return "\n\n".join([title, note, *_reasons({GATEWAY: result})])
    seconds = "{:.2f}".format
    rows = [
        ["empty state folder", spread(result.fresh_seconds, seconds)],
        ["state of the run before", spread(result.again_seconds, seconds)],
    ]
    return "\n\n".join([title, note, table(("start", "seconds"), rows)])


def _object_section(result: ObjectTableFigures | NotMeasured) -> str:
    title = "## A million sticky objects (`object-table`)"
    if isinstance(result, NotMeasured):
        return "\n\n".join([title, *_reasons({GATEWAY: result})])
    head = ("memory MB", "first access µs", "later access µs", "new deployment ms")
    row = (result.memory_mb, result.first_access_us, result.later_access_us, result.new_deployment_ms)
    return "\n\n".join([title, table(head, [[f"{value:.2f}" for value in row]])])


# -- goals -----------------------------------------------------------------------------------------------


def _failure(row: object) -> str | None:
    """Return why a goal is missed whatever the figures say: the gateway ran, and failed at times or always."""
    if isinstance(row, NotMeasured):
        return None if row.missing else f"unusable: {cell(row.why)}"
    errors = _error_count(row)
    return f"{errors:,} errors" if errors else None


def _get_goals(result: LoadResult | None) -> list[Goal]:
    targets = {
        NGINX: (GET_RATIO_GOAL, f"≥ {GET_RATIO_GOAL} of nginx in requests/s (the aim is 1)"),
        AIOHTTP: (AIOHTTP_RATIO_GOAL, f"≥ {AIOHTTP_RATIO_GOAL:g} x a plain aiohttp proxy"),
    }
    goals = []
    for other, (least, target) in targets.items():
        what = f"small GET, against {_LABELS[other]}"
        rows = result.rows if result is not None else {}
        ratios = paired_ratios(_rates(rows.get(GATEWAY)), _rates(rows.get(other)))
        failure = _failure(rows.get(GATEWAY))
        if not ratios:
            goals.append(Goal(what, target, failure or NONE, False if failure else None))
            continue
        measured = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        cpu = {name: _median_cpu(rows.get(name)) for name in (GATEWAY, other)}
        own, theirs = cpu[GATEWAY], cpu[other]
        if own and theirs:
            measured += f"; {theirs / own:.2f} by CPU per request ({own:.1f} against {theirs:.1f} µs)"
        if other == AIOHTTP and (ceiling := paired_ratios(_rates(rows.get(NGINX)), _rates(rows.get(other)))):
            measured += f"; nginx itself {median(ceiling):.2f}"
        if failure:
            measured += f"; {failure}"
        goals.append(Goal(what, target, measured, median(ratios) >= least and not failure))
    return goals


def _median_cpu(row: object) -> float | None:
    values = [r.cpu_us_per_request for r in _clean(row) if r.cpu_us_per_request is not None]
    return median(values) if values else None


def _latency_goals(result: LoadResult | None) -> list[Goal]:
    goals = []
    for name, which in (("p50", _p50), ("p99", _p99)):
        what, target = f"added latency at one connection, {name}", f"≤ {ADDED_LATENCY_GOAL} x nginx"
        own = _added_us(result, GATEWAY, which) if result is not None else None
        nginx = _added_us(result, NGINX, which) if result is not None else None
        failure = _failure(result.rows.get(GATEWAY)) if result is not None else None
        if failure or result is None or own is None or nginx is None:
            goals.append(Goal(what, target, failure or NONE, False if failure else None))
            continue
        total = median(map(which, _clean(result.rows[GATEWAY]))) / median(map(which, _clean(result.rows[NGINX])))
        measured = f"{own:.0f} µs against {nginx:.0f} µs; the whole latency {total:.2f} x nginx"
        if nginx <= 0:
            goals.append(Goal(what, target, f"{measured}; nginx adds less than the noise", None))
            continue
        goals.append(Goal(what, target, f"{own / nginx:.2f} x ({measured})", own / nginx <= ADDED_LATENCY_GOAL))
    return goals


def _body_goals(results: Mapping[str, BodyResult]) -> list[Goal]:
    goals = []
    for name in ("body-down", "body-up"):
        result = results.get(name)
        title = result.title if result is not None else "100 MB " + name.replace("-", " ")
        row = result.rows.get(GATEWAY) if result is not None else None
        rate, memory = f"≥ {BODY_RATIO_GOAL} of nginx (default buffers) in MB/s", f"< {BODY_GROWTH_GOAL_MIB} MiB"
        if result is None or not isinstance(row, BodyRow):
            failure = _failure(row)
            met = False if failure else None
            goals += [Goal(title, rate, failure or NONE, met), Goal(f"{title}, memory growth", memory, NONE, None)]
            continue
        ratios = paired_ratios(_body_rates(row), _body_rates(result.rows.get(NGINX)))
        if row.errors:
            goals.append(Goal(title, rate, f"{len(row.errors)} failed rounds", met=False))
        elif ratios:
            measured = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
            if large := paired_ratios(_body_rates(row), _body_rates(result.rows.get(NGINX_LARGE_BUFFERS))):
                measured += f"; {median(large):.2f} of nginx with large buffers"
            goals.append(Goal(title, rate, measured, median(ratios) >= BODY_RATIO_GOAL))
        else:
            goals.append(Goal(title, rate, NONE, None))
        growth_mib = (row.growth_bytes or 0) / _MIB
        goals.append(
            Goal(f"{title}, memory growth", memory, f"{growth_mib:.1f} MiB", growth_mib < BODY_GROWTH_GOAL_MIB)
        )
    return goals


def _websocket_goals(result: WebSocketResult | None) -> list[Goal]:
    alive = f"all of {WEBSOCKETS_GOAL:,} alive"
    memory = f"< {WEBSOCKET_KIB_GOAL} KiB each"
    row = result.rows.get(GATEWAY) if result is not None else None
    if result is None or not isinstance(row, WebSocketRow):
        failure = _failure(row)
        met = False if failure else None
        return [
            Goal("idle WebSockets", alive, failure or NONE, met),
            Goal("idle WebSockets, memory", memory, NONE, None),
        ]
    measured = f"{row.alive:,} of {result.asked:,}"
    # Fewer than the goal asks for say nothing about the goal, unless some of them already died.
    met = None if row.alive == result.asked < WEBSOCKETS_GOAL else row.alive == result.asked
    kib = row.kib_per_connection
    return [
        Goal("idle WebSockets", alive, measured, met),
        Goal(
            "idle WebSockets, memory", memory, f"{kib:.1f} KiB", kib < WEBSOCKET_KIB_GOAL if row.opened else None
        ),
    ]


def _object_goals(result: ObjectTableFigures | NotMeasured | None) -> list[Goal]:
    figures = result if isinstance(result, ObjectTableFigures) else None
    lines: list[tuple[str, float, str, float | None]] = [
        ("memory", OBJECT_MEMORY_GOAL_MB, "MB", figures.memory_mb if figures else None),
        ("first access", FIRST_ACCESS_GOAL_US, "µs", figures.first_access_us if figures else None),
        ("later access", LATER_ACCESS_GOAL_US, "µs", figures.later_access_us if figures else None),
        ("new deployment", NEW_DEPLOYMENT_GOAL_MS, "ms", figures.new_deployment_ms if figures else None),
    ]
    return [
        Goal(
            f"a million sticky objects, {what}",
            f"< {limit:g} {unit}",
            NONE if value is None else f"{value:.2f} {unit}",
            None if value is None else value < limit,
        )
        for what, limit, unit, value in lines
    ]


def _startup_goals(result: StartupResult | NotMeasured | None) -> list[Goal]:
    target = f"< {STARTUP_GOAL_SECONDS:g} s"
    if not isinstance(result, StartupResult):
        return [Goal("start-up to listening, sample configuration", target, NONE, None)]
    seconds = median(result.fresh_seconds)
    measured = spread(result.fresh_seconds, "{:.2f}".format) + " s"
    return [Goal("start-up to listening, sample configuration", target, measured, seconds < STARTUP_GOAL_SECONDS)]


def goals(figures: Figures) -> list[Goal]:
    """Return the design's goals and what became of each."""
    load = {result.name: result for result in figures.load}
    return [
        *_get_goals(load.get("get")),
        *_latency_goals(load.get("latency")),
        *_body_goals({result.name: result for result in figures.bodies}),
        *_websocket_goals(figures.websockets),
        *_object_goals(figures.object_table),
        *_startup_goals(figures.startup),
        *workerd_report.goals(figures.workerd),
    ]


# -- the whole -------------------------------------------------------------------------------------------


def _heading(machine: Machine) -> str:
    rows = [
        ["CPU", f"{machine.cpu}, {machine.cores} core{'s' if machine.cores != 1 else ''}"],
        ["kernel", machine.kernel],
        ["cores used", machine.pinning],
        ["load average before", f"{machine.load_average:.2f}"],
        ["date", machine.date],
        ["command", f"`{machine.command}`"],
        ["rounds", f"{machine.rounds} of {machine.seconds} s for each proxy and scenario, alternating"],
        *[[name, version] for name, version in machine.versions],
    ]
    facts = "\n".join(["| | |", "|:--|:--|", *(f"| {name} | {value} |" for name, value in rows)])
    warning = "**A smoke run (`--quick`): it shows that everything runs. Its figures are too short to quote.**"
    explanation = """\
How to read the tables: figures are medians over the rounds, with the smallest and the largest round in
brackets. The proxies take turns (A B C D, A B C D, ...), and a ratio is the median of the ratios of
neighbouring rounds. CPU is user and system time of all processes of a proxy, from `/proc`. "core busy" is
that time as a share of the round. A round with errors is counted and left out of the other figures. Every
proxy is checked before it is measured: status, body, both versions in use, affinity, override and object
obeyed. nginx and HAProxy run without a log and stream bodies; the gateway runs with everything on that is
on by default. What begins with `workerd-` is not pinned to cores."""
    return "\n\n".join(
        [
            "# Benchmark results",
            "Written by `make bench`.",
            *([warning] if machine.quick else []),
            facts,
            explanation,
        ]
    )


def markdown(figures: Figures) -> str:
    """Return the whole report."""
    quick = figures.machine.quick
    lines = [
        [goal.what, goal.target, goal.measured, "not judged" if quick and goal.met is not None else goal.verdict]
        for goal in goals(figures)
    ]
    goal_table = "\n".join(
        ["| goal | target | measured | |", "|:--|:--|:--|:--|", *(f"| {' | '.join(line)} |" for line in lines)]
    )
    sections = [_heading(figures.machine), "## Design goals\n\n" + goal_table]
    sections += [_load_section(result) for result in figures.load]
    sections += [_body_section(result) for result in figures.bodies]
    if figures.websockets is not None:
        sections.append(_websocket_section(figures.websockets))
    if figures.object_table is not None:
        sections.append(_object_section(figures.object_table))
    if figures.startup is not None:
        sections.append(_startup_section(figures.startup))
    sections += workerd_report.sections(figures.workerd)
    return "\n\n".join(sections) + "\n"
