"""Pictures of what ``benchmarks.sweeps`` measured: benchmarks/figures/<sweep>.png. Needs the extra ``bench``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

from benchmarks.sweeps import FIGURES, Point, read

mpl.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Picture:
    title: str
    x: str
    y: str
    is_logarithmic: bool = True


PICTURES = {
    "members": Picture("Fan-out: what one delivery costs the server", "members in the room", "CPU, µs per delivery"),
    "workers": Picture("Several workers behind one port", "workers", "CPU of all, µs", is_logarithmic=False),
    "stored": Picture("A persisted send (SQLite, synchronous=FULL)", "", "µs per send"),
}
STYLES: dict[str, dict[str, Any]] = {
    "chatapp": {"color": "#1f5fa8", "marker": "o", "linewidth": 2.4},
    "peer": {"color": "#b4552d", "marker": "s"},
    "kernel": {"color": "#777777", "linestyle": "--"},
    "CPU": {"color": "#1f5fa8", "marker": "o", "linewidth": 2.4},
    "wall time": {"color": "#b4552d", "marker": "s"},
}
OTHER: dict[str, Any] = {"color": "#1f5fa8", "marker": "o", "linewidth": 2.4}
NAMES = {
    "peer": "Node, socket.io, stores nothing",
    "kernel": "the kernel's send() alone",
    "chatapp": "chatapp, every message stored",
}


def draw(sweep: str, points: list[Point]) -> None:
    is_shared = sweep != "workers"  # whose panels show different things
    picture, panels = PICTURES[sweep], list(dict.fromkeys(point.panel for point in points))
    figure, axes = plt.subplots(
        1, len(panels), figsize=(5 * len(panels), 4), layout="constrained", squeeze=False, sharey=is_shared
    )
    for panel, ax in zip(panels, axes[0], strict=True):
        _panel(ax, picture, [point for point in points if point.panel == panel])
        on_scale = points if is_shared else [point for point in points if point.panel == panel]
        ax.set_ylim(0, 1.15 * max(point.y for point in on_scale))
        ax.set_title(panel, fontsize=11)
    axes[0][0].set_ylabel(picture.y)
    figure.suptitle(picture.title, fontsize=13)
    figure.savefig(FIGURES / f"{sweep}.png", dpi=110)
    plt.close(figure)


def _panel(ax: Axes, picture: Picture, points: list[Point]) -> None:
    ticks = sorted({point.x for point in points})
    for series in dict.fromkeys(point.series for point in points):
        mine = sorted((point.x, point.y) for point in points if point.series == series)
        ax.plot(
            [x for x, _ in mine], [y for _, y in mine], label=NAMES.get(series, series), **STYLES.get(series, OTHER)
        )
    if picture.is_logarithmic:
        ax.set_xscale("symlog", linthresh=max(1.0, min(tick for tick in ticks if tick)))
    ax.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel(picture.x)
    ax.grid(axis="y", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9)


def main() -> None:
    points = read()
    for sweep in dict.fromkeys(point.sweep for point in points):
        draw(sweep, [point for point in points if point.sweep == sweep])


if __name__ == "__main__":
    main()
