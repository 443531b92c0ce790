"""What windows and joins give, computed batch by batch without semel: expected values of reference_test.cpp.

usage: reference.py KIND FILE LAST

FILE has a line "batch side key time value" for each record; batch, time and value are numbers, batches ascending; LAST is
the last batch, with records or without. Prints
what comes of each batch, a line each, sorted within the batch: "batch key start end value", or "batch key left right".
"""

import sys
from collections import defaultdict

DELAY = 40
LATENESS = 30
GAP = 25
SIZE = 60
EVERY = 20


def read(path):
    batches = defaultdict(list)
    with open(path, encoding="ascii") as lines:
        for line in lines:
            batch, side, key, time, value = line.split()
            batches[int(batch)].append((side, key, int(time), int(value)))
    return batches


def spans(kind, time):
    if kind == "tumbling":
        start = time // SIZE * SIZE
        return [(start, start + SIZE)]
    first = (time // EVERY) * EVERY
    return [(start, start + SIZE) for start in range(first, time - SIZE, -EVERY)]


def fixed_windows(kind, batches, last):
    """Everything that came, and when each window must be shown, from the definition of the watermark."""
    sums = defaultdict(int)
    shown = set()
    watermark = None
    for batch in range(1, last + 1):
        changed = set()
        newest = None if watermark is None else watermark + DELAY
        for _, key, time, value in batches[batch]:
            fitting = [s for s in spans(kind, time) if watermark is None or s[1] + LATENESS > watermark]
            for span in fitting:
                sums[key, span] += value
                changed.add((key, span))
            if fitting:
                newest = time if newest is None else max(newest, time)
        if newest is None:
            continue
        watermark = newest - DELAY if watermark is None else max(watermark, newest - DELAY)
        for key, span in sorted(sums):
            complete = span[1] <= watermark
            if complete and ((key, span) in changed or (key, span) not in shown):
                shown.add((key, span))
                yield batch, f"{key} {span[0]} {span[1]} {sums[key, span]}"


def sessions(batches, last):
    """Sessions are computed anew from all values of a key that were taken, each time: nothing is merged step by step."""
    taken = defaultdict(list)
    shown = {}
    watermark = None
    for batch in range(1, last + 1):
        newest = None if watermark is None else watermark + DELAY
        for _, key, time, value in batches[batch]:
            late = watermark is not None and time + GAP + LATENESS <= watermark
            # Less than the gap from what is still there, it is of that session.
            if late and not any(abs(time - other) < GAP for other, _ in taken[key]):
                continue
            taken[key].append((time, value))
            newest = time if newest is None else max(newest, time)
        if newest is None:
            continue
        watermark = newest - DELAY if watermark is None else max(watermark, newest - DELAY)
        for key in sorted(taken):
            groups = []
            for time, value in sorted(taken[key]):
                if groups and time < groups[-1][1]:
                    groups[-1] = (groups[-1][0], max(groups[-1][1], time + GAP), groups[-1][2] + value, groups[-1][3] + 1)
                else:
                    groups.append((time, time + GAP, value, 1))
            kept = []
            for group in groups:
                start, end, total, count = group
                if end <= watermark and shown.get((key, start, end)) != count:
                    shown[key, start, end] = count
                    yield batch, f"{key} {start} {end} {total}"
                if end + LATENESS > watermark:
                    kept.append(group)
            # What is forgotten is not joined by what comes later.
            bounds = [(g[0], g[1]) for g in kept]
            taken[key] = [(t, v) for t, v in taken[key] if any(s <= t < e for s, e in bounds)]


def batch_windows(batches, last):
    """The batch's number times ten is its time."""
    end = None
    for batch in range(1, last + 1):
        now = batch * 10
        if end is None:
            end = now // EVERY * EVERY + EVERY
        while end <= now:
            sums = defaultdict(int)
            for other in range(1, batch):
                # A batch belongs to the slice in which its time is, and a window is of whole slices.
                if end - SIZE <= other * 10 // EVERY * EVERY < end:
                    for _, key, _, value in batches[other]:
                        sums[key] += value
            for key, total in sums.items():
                yield batch, f"{key} {end - SIZE} {end} {total}"
            end += EVERY


def by_key(records, side):
    found = defaultdict(list)
    for where, key, _, value in records:
        if where == side:
            found[key].append(value)
    return found


def joins(kind, batches, last):
    for batch in range(1, last + 1):
        left, right = by_key(batches[batch], "l"), by_key(batches[batch], "r")
        for key in set(left) | set(right):
            if kind == "cogroup":
                yield batch, f"{key} {left[key]} {right[key]}".replace(", ", ",")
                continue
            for a in left[key]:
                for b in right[key]:
                    yield batch, f"{key} {a} {b}"
                if kind == "left_join" and not right[key]:
                    yield batch, f"{key} {a} null"


def main():
    kind, path, last = sys.argv[1:]
    batches, last = read(path), int(last)
    if kind in ("tumbling", "sliding"):
        lines = fixed_windows(kind, batches, last)
    elif kind == "session":
        lines = sessions(batches, last)
    elif kind == "batches":
        lines = batch_windows(batches, last)
    else:
        lines = joins(kind, batches, last)
    for batch, line in sorted(lines):
        print(batch, line)


main()
