#!/usr/bin/env python3
"""Compares the files of some directories, record by record, with what tests/support/pipeline_rig.cpp
produced, and says what differs.

usage: files_as_made.py PRODUCED PARTITIONS DIRECTORY...
"""
import csv
import json
import pathlib
import sys


def rows_of(path):
    if path.suffix == ".csv":
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                yield int(row["id"]), row["name"], float(row["amount"])
    elif path.suffix == ".parquet":
        import pyarrow.parquet
        for row in pyarrow.parquet.read_table(path).to_pylist():
            yield row["id"], row["name"], row["amount"]
    else:
        with open(path) as file:
            for line in file:
                row = json.loads(line)
                yield row["id"], row["name"], row["amount"]


def main(produced, partitions, *directories):
    produced, partitions = int(produced), int(partitions)
    seen = [0] * produced
    offences = []
    files = 0
    for directory in directories:
        for path in sorted(pathlib.Path(directory).iterdir()):
            if path.is_dir() or path.name.startswith("."):
                continue
            files += 1
            partition, begin, end = path.stem.split("~")[0].rsplit("-", 3)[1:]
            for id, name, amount in rows_of(path):
                made = (f"name-{id * 7919 % 1000}", id % 97 + 0.25, id % partitions)
                if (name, amount, int(partition)) != made or not int(begin) <= id // partitions < int(end):
                    offences.append(f"{path.name} has {(id, name, amount)}")
                if id < produced:
                    seen[id] += 1
    offences += [f"{id} is there {times} times" for id, times in enumerate(seen) if times != 1]
    print("\n".join(offences[:20]) or f"{files} files, {produced} records, as they were made")
    return 1 if offences else 0


sys.exit(main(*sys.argv[1:]))
