"""How long the gateway takes until it listens, with the sample configuration."""

import time
from pathlib import Path

from benchmarks.figures import NotMeasured, StartupResult
from benchmarks.peers import gateway_command, port_in_run_file
from benchmarks.processes import ROOT, Bench, Children, DidNotStart, accepts

SAMPLE = Path("config/gateway.yaml")


def _is_listening(state: Path) -> bool:
    port = port_in_run_file(state)
    return port is not None and accepts(port)


def _start_once(bench: Bench, state: Path) -> float:
    """Return the seconds to listening; the gateway is ended afterwards.

    Raises:
        DidNotStart: It does not come to listening.
    """
    # A run that was ended may leave its file behind, and with it a port that is no longer the gateway's.
    (state / "run.json").unlink(missing_ok=True)
    with Children(bench) as children:
        command = gateway_command(ROOT / SAMPLE, state, "--port", "0", "--control-port", "0")
        began = time.perf_counter()
        # Not pinned: the sample's own Workers start beside the gateway, as they do for its user.
        child = children.start("gateway", command, None)
        child.wait_for(lambda: _is_listening(state))
        return time.perf_counter() - began


def measure_startup(bench: Bench, rounds: int) -> StartupResult | NotMeasured:
    """Start the gateway again and again, with an empty state folder and with the one it left."""
    if not (ROOT / SAMPLE).exists():
        return NotMeasured(f"`{SAMPLE}` does not exist")
    fresh: list[float] = []
    again: list[float] = []
    try:
        # Not counted: the first start compiles the modules.
        _start_once(bench, bench.folder / "state-0")
        for number in range(1, rounds + 1):
            state = bench.folder / f"state-{number}"
            fresh.append(_start_once(bench, state))
            again.append(_start_once(bench, state))
            bench.say(f"startup {number}/{rounds}: {fresh[-1]:.2f} s, again {again[-1]:.2f} s")
    except DidNotStart as error:
        return NotMeasured(f"does not start: {error}", detail=error.tail)
    return StartupResult(tuple(fresh), tuple(again))
