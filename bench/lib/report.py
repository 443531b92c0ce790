"""From raw runs to rows of a table: pure functions of values, so that a test can hold them."""

from dataclasses import dataclass, field
from statistics import median

# What the others are compared with: the fastest of these that took part, since how many clients are best
# is the machine's to say.
LIMITS = ("bare-loop", "bare-loop-2", "bare-loop-1")
# Raw files that differ here measured different work.
SAME_WORK = ("records", "partitions", "record_bytes")


class ReportError(Exception):
    """Raw files that make no table."""


@dataclass
class Spread:
    """Of a figure over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values):
        values = [value for value in values if value is not None]
        return cls(median(values), min(values), max(values)) if values else None


@dataclass
class Row:
    name: str
    facts: dict
    rate: Spread | None = None  # rows/s
    cpu: Spread | None = None  # CPU seconds per million rows
    rate_ratio: float | None = None  # to the limit in the same round
    cpu_ratio: float | None = None
    peak_bytes: float | None = None
    rounds: int = 0
    crashes: list = field(default_factory=list)  # (lost, doubled, kills) of each run with kills
    restarts: Spread | None = None  # seconds from a restart to its first row
    problems: list = field(default_factory=list)


def aggregate(raws):
    """One Row for each peer, the fastest first, those without a figure last."""
    check_same_work(raws)
    rows, clean = {}, {}
    for session, raw in enumerate(raws):
        for name, facts in raw["peers"].items():
            rows.setdefault(name, Row(name, facts))
        for run in raw["runs"]:
            row = rows[run["peer"]]
            if not run["ok"]:
                row.problems.append(f"{when(run)}: {run['failure']}")
            elif run["kind"] == "clean":
                clean.setdefault(run["peer"], {})[session, run["round"]] = run
                if run["lost"] or run["doubled"]:
                    row.problems.append(
                        f"{when(run)}, nobody killed it: {run['lost']:,} lost, {run['doubled']:,} doubled"
                    )
            else:
                row.crashes.append((run["lost"], run["doubled"], len(run["kills"])))
            if run.get("prepared_left"):
                row.problems.append(
                    f"{when(run)}: {run['prepared_left']} prepared transactions left behind, holding locks"
                )
    limit = fastest_limit(clean)
    for name, row in rows.items():
        summarize(row, clean.get(name, {}), limit)
        row.restarts = Spread.of(
            kill["restart_to_first_row_s"]
            for raw in raws for run in raw["runs"]
            if run["peer"] == name and run["kind"] == "crash" and run["ok"] for kill in run["kills"]
        )
    return sorted(rows.values(), key=lambda row: -row.rate.median if row.rate else 0)


def check_same_work(raws):
    for key in SAME_WORK:
        values = {raw["settings"][key] for raw in raws}
        if len(values) > 1:
            raise ReportError(f"the raw files differ in {key}: {', '.join(map(str, sorted(values)))}")


def when(run):
    return {"clean": f"round {run['round']}", "crash": "with kills", "fetch": "not run"}[run["kind"]]


def fastest_limit(clean):
    """The runs of the limit by (session, round): in each session of the one with the highest median."""
    limit = {}
    for session in {key[0] for runs in clean.values() for key in runs}:
        taken = {
            name: {key: run for key, run in clean.get(name, {}).items() if key[0] == session} for name in LIMITS
        }
        taken = {name: runs for name, runs in taken.items() if runs}
        if taken:
            best = max(taken, key=lambda name: median(run["rows_per_s"] for run in taken[name].values()))
            limit.update(taken[best])
    return limit


def summarize(row, runs, limit):
    row.rounds = len(runs)
    row.rate = Spread.of(run["rows_per_s"] for run in runs.values())
    row.cpu = Spread.of(run["cpu_s_per_million"] for run in runs.values())
    row.rate_ratio = ratio(runs, limit, "rows_per_s")
    row.cpu_ratio = ratio(runs, limit, "cpu_s_per_million")
    row.peak_bytes = max((run["peak_bytes"] for run in runs.values()), default=None)


def ratio(runs, limit, figure):
    """The median of the ratios round by round: what slowed a round down slowed both."""
    spread = Spread.of(
        run[figure] / limit[key][figure] for key, run in runs.items() if limit.get(key, {}).get(figure)
    )
    return spread.median if spread else None


def one_line(result):
    """What a run came to, for whoever waits."""
    if not result["ok"]:
        return f"{result['peer']}: {result['failure']}"
    text = f"{result['peer']}: {result['lost']:,} lost, {result['doubled']:,} doubled"
    if "seconds" in result:
        text += f", {result['rows_per_s']:,.0f} rows/s, {result['cpu_s_per_million']:.2f} CPU s per M rows"
    for kill in result["kills"]:
        after = kill["restart_to_first_row_s"]
        text += f", killed at {kill['rows']:,}"
        text += f" (first row {after:.2f} s after the restart)" if after is not None else " (no row since)"
    return text + f", peak {result['peak_bytes'] / 2**20:,.0f} MiB"


def ranged(spread, form):
    if spread is None:
        return "–"
    middle, least, most = form(spread.median), form(spread.least), form(spread.most)
    return middle if least == most else f"{middle} ({least} – {most})"


def rate_text(value):
    return f"{round(value, -3):,.0f}" if value >= 10_000 else f"{value:,.0f}"


def two_places(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def crash_text(row):
    if not row.crashes:
        return "–"
    texts = []
    for lost, doubled, kills in row.crashes:
        few = f" ({kills} kill{'s' * (kills != 1)})" if kills != 2 else ""
        texts.append(f"{lost:,} / {doubled:,}{few}")
    text = "; ".join(dict.fromkeys(texts))
    wrong = any(lost or doubled for lost, doubled, _ in row.crashes)
    return f"**{text}**" if wrong else text


HEADER = (
    "peer", "guarantee", "rows/s", "of the bare loop", "CPU s per M rows", "× the bare loop",
    "peak memory", "lost / doubled after kills", "restart → first row", "lines",
)


def cells(row):
    facts = row.facts
    return (
        f"{facts['title']} (`{row.name}`)",
        facts["guarantee"],
        ranged(row.rate, rate_text) if row.rate else "failed" if row.problems else "–",
        f"{row.rate_ratio:.2f}" if row.rate_ratio else "–",
        ranged(row.cpu, two_places),
        f"{row.cpu_ratio:.1f}" if row.cpu_ratio else "–",
        f"{row.peak_bytes / 2**20:,.0f} MiB" if row.peak_bytes else "–",
        crash_text(row),
        ranged(row.restarts, lambda value: f"{value:.1f} s"),
        "–" if facts["lines"] is None else str(facts["lines"]),
    )


def markdown(raws, rows, picture):
    """The page: what was measured on what, the table, what went wrong, what to know of each peer."""
    settings, newest = raws[0]["settings"], raws[-1]
    machine = newest["machine"]
    lines = [
        f"# {newest['made_at'][:10]}: semel and its rivals", "",
        f"{settings['records']:,} JSON records of {settings['record_bytes']:.0f} bytes, "
        f"{settings['partitions']} partition{'s' * (settings['partitions'] != 1)}, lz4, "
        "into a table of 7 columns without an index. From the start of the process to its last visible row, "
        "medians (and ranges) over the rounds, in alternating order; ratios are taken round by round. CPU and "
        "memory are the peer's processes alone, without Kafka and PostgreSQL, which run on the same cores. "
        "[How it is measured](../README.md).", "",
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB, {machine['system']}. "
        f"{loads(raws)} {versions(newest)}", "",
    ]
    if picture:
        lines += [f"![rows per second and CPU seconds per million rows]({picture})", ""]
    lines += [table_line(HEADER), table_line(["---"] * len(HEADER))]
    lines += [table_line(cells(row)) for row in rows]
    problems = [f"- `{row.name}`, {one_paragraph(text)}" for row in rows for text in row.problems]
    if problems:
        lines += ["", "What went wrong:", "", *problems]
    lines += ["", "What was run:", ""]
    for row in rows:
        told = [text for text in (row.facts["versions"], row.facts["note"]) if text]
        rounds = f"{row.rounds} round{'s' * (row.rounds != 1)}"
        lines.append(f"- `{row.name}`: {'. '.join([rounds, *told]).rstrip('.')}.")
    server = ", ".join(f"{name} = {value}" for name, value in settings["postgres"].items())
    lines += [
        "", f"PostgreSQL: defaults and durability as installed, with {server}. Kafka's JVM: `{settings['kafka_jvm']}`.",
    ]
    return "\n".join(lines) + "\n"


def loads(raws):
    """How quiet the machine was. Later runs see the load of the ones before, so that only the first tells."""
    before = ", ".join(f"{raw['load_before']:.1f}" for raw in raws)
    text = f"Load average before it began: {before}."
    if any(raw["load_before"] > raw["machine"]["cores"] / 2 for raw in raws):
        text += " **Other work ran on these cores: ratios say something, rows per second are lower bounds.**"
    return text


def versions(raw):
    names = {"semel": "semel", "kafka": "Kafka", "postgres": "PostgreSQL", "java": "Java", "librdkafka": "librdkafka"}
    said = raw["versions"]
    return ", ".join(f"{title} {said[key]}" for key, title in names.items() if said.get(key)) + "."


def one_paragraph(text):
    return " ".join(text.split())


def table_line(values):
    return "| " + " | ".join(values) + " |"


def chart_values(rows):
    """What chart.py draws: peers that have a figure."""
    return [
        {
            "name": row.name,
            "class": row.facts["class"],
            "rate": [row.rate.median, row.rate.least, row.rate.most],
            "cpu": [row.cpu.median, row.cpu.least, row.cpu.most],
            "crashed": bool(row.crashes),
            "wrong": any(lost or doubled for lost, doubled, _ in row.crashes),
        }
        for row in rows if row.rate and row.cpu
    ]
