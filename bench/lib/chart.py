"""Draws bench/run's figures: chart.py FILE.svg, with report.chart_values() as JSON on standard input."""

import json
import sys

import matplotlib

matplotlib.use("Agg")
# The same figures give the same file.
matplotlib.rcParams.update({"svg.hashsalt": "semel", "svg.fonttype": "none", "font.size": 9})
from matplotlib import pyplot  # noqa: E402
from matplotlib.patches import Patch  # noqa: E402

COLOURS = {"exactly once": "#1f6f4a", "at least once": "#c98b2b", "none": "#8a8f98"}


def draw(axes, rows, key, title, form):
    values = [row[key] for row in rows]
    middles = [value[0] for value in values]
    errors = [[value[0] - value[1] for value in values], [value[2] - value[0] for value in values]]
    axes.barh(range(len(rows)), middles, color=[COLOURS[row["class"]] for row in rows], height=0.68)
    axes.errorbar(middles, range(len(rows)), xerr=errors, fmt="none", ecolor="#333333", elinewidth=0.8, capsize=2)
    for index, value in enumerate(values):
        axes.annotate(form(value[0]), (value[2], index), xytext=(5, 0), textcoords="offset points", va="center")
    axes.set_title(title, loc="left")
    axes.set_xlim(0, max(value[2] for value in values) * 1.2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)


def label(row):
    if not row["crashed"]:
        return row["name"]
    return f"{row['name']}  {'✗' if row['wrong'] else '✓'}"


def main():
    rows = json.load(sys.stdin)
    if not rows:
        sys.exit("no peer has a figure")
    figure, (left, right) = pyplot.subplots(
        1, 2, sharey=True, figsize=(11, 1.6 + 0.36 * len(rows)), layout="constrained"
    )
    draw(left, rows, "rate", "rows per second (longer is better)", lambda value: f"{value:,.0f}")
    draw(right, rows, "cpu", "CPU seconds per million rows (shorter is better)", lambda value: f"{value:.1f}")
    left.invert_yaxis()  # the fastest on top, in both: they share the axis
    left.set_yticks(range(len(rows)), [label(row) for row in rows])
    present = [name for name in COLOURS if any(row["class"] == name for row in rows)]
    marks = "✓ after kill -9: every row once     ✗ rows lost or doubled" if any(row["crashed"] for row in rows) else None
    figure.legend(
        handles=[Patch(color=COLOURS[name], label=f"promises: {name}") for name in present],
        title=marks, loc="outside lower center", ncols=3, frameon=False,
    )
    figure.savefig(sys.argv[1], format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
