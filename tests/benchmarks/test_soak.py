"""Sessions come and go, and the worker holds no more than before; ``benchmarks/soak.py`` does an hour of them."""

from __future__ import annotations

from benchmarks.soak import Bounds, Growth, Observed, Plan, grown_types, growth, slope, soak

SHORT = Plan(cycles=9, sessions=100, messages=2)

COARSE = Bounds(objects=1, blocks=3, bytes=20_000)
"""So few sessions leave the noise of some hundred objects. A session that is kept has a hundred by itself."""


def test_sessions_leave_nothing_behind() -> None:
    found = soak(SHORT, tell=print)
    grown = growth(found, SHORT.sessions)
    assert not grown.exceeds(COARSE), (grown, grown_types(found[len(found) // 3], found[-1]))


def test_growth_is_the_slope_after_the_first_third() -> None:
    def at(cycle: int) -> Observed:
        warm = min(cycle, 2) * 1_000
        return {"objects": warm + 20 * cycle, "blocks": warm + 50 * cycle, "anonymous_kb": warm + cycle}

    grown = growth([at(cycle) for cycle in range(9)], sessions=10)
    assert grown == Growth(objects=2 + 0.0, blocks=5.0, bytes=102.4)
    assert grown.exceeds(Bounds(objects=2, blocks=4, bytes=200)) == ["blocks"]
    assert slope([5, 5, 5]) == 0
