"""The results as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from contender import OURS, STRAIGHTFORWARD
from figures import Rounds
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from race import MISSED, MISSED_STARTTLS
from results import Results

# To be read on white and on black alike.
TEXT, WAITS, BEHIND = "#808080", "#d9730d", "#4a90d9"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pbxnotify",
    "font.size": 10,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": TEXT,
    "figure.constrained_layout.w_pad": 0.08,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}
TITLES = {MISSED: "Missed call, plain", MISSED_STARTTLS: "Missed call, STARTTLS"}


def draw(results: Results, path: Path) -> None:
    """Draw it; there must be results of the race and of calls at once."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 0.9))
        for axes, (situation, title) in zip((left, middle), TITLES.items()):
            _draw_race(axes, results.race[situation], title)
        middle.sharex(left)
        middle.tick_params(labelleft=False)
        left.autoscale(axis="x")
        _draw_at_once(right, results)
        legend = left.get_legend_handles_labels()
        figure.legend(*legend, loc="outside lower left", ncols=2, frameon=False, handlelength=1)
        figure.savefig(path, transparent=True, metadata={"Date": None})


def _draw_race(axes: Any, rounds: Rounds, title: str) -> None:
    """Draw how long the call waits for each contender, and what goes on behind its back."""
    names = rounds.names[::-1]
    waits, whole = ({name: rounds.of(name, what).median * 1000 for name in names} for what in ("let_go", "whole"))
    behind = {name: end - waits[name] for name, end in whole.items() if end > waits[name]}
    held = axes.barh(names, waits.values(), height=0.6, color=WAITS, label="the call waits")
    axes.bar_label(held, fmt="%.0f", label_type="center", color="white", fontweight="bold")
    begin = [waits[name] for name in behind]
    what = "goes on behind its back, until the relay's 250"
    bars = axes.barh(list(behind), behind.values(), height=0.6, left=begin, color=BEHIND, label=what)
    axes.bar_label(bars, [f"{whole[name]:.0f}" for name in behind], padding=3, color=BEHIND, fontweight="bold")
    axes.set_title(title)
    axes.set_xlabel("ms")


def _draw_at_once(axes: Any, results: Results) -> None:
    """Draw when all of several calls at once are let go; with logarithms, so that each ratio can be seen."""
    counts = list(results.at_once)
    for name, colour, below in ((STRAIGHTFORWARD, TEXT, False), (OURS, WAITS, True)):
        seconds = [rounds.of(name, "let_go").median for rounds in results.at_once.values()]
        axes.loglog(counts, seconds, "o-", color=colour)
        middle = len(counts) // 2
        place = {"xytext": (8, -5), "ha": "left", "va": "top"} if below else {"xytext": (-8, 5), "ha": "right"}
        axes.annotate(name, (counts[middle], seconds[middle]), textcoords="offset points", color=colour, **place)
    axes.set_title("Calls at once")
    axes.set_xticks(counts, map(str, counts))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_xlabel("calls")
    axes.set_ylabel("s, until all are let go")
