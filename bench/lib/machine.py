"""The machine and the versions, as a table's reader wants to know them. No host names, no addresses."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path


def describe(root):
    processor = first(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo")) or platform.machine()
    memory_kb = int(first(r"MemTotal:\s*(\d+)", Path("/proc/meminfo")) or 0)
    cores = len(os.sched_getaffinity(0))
    return {
        "format": 1,
        "made_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {
            "slug": f"{cores}-core-{slug(processor)}",
            "processor": processor,
            "cores": cores,
            "memory_gib": round(memory_kb / 2**20),
            "system": first(r'PRETTY_NAME="(.*)"', Path("/etc/os-release")) or platform.system(),
        },
        "load_before": os.getloadavg()[0],
        "versions": {
            "semel": said(["git", "-C", root, "describe", "--always", "--dirty"]),
            "kafka": (root / "scripts/lib/kafka-version").read_text(encoding="utf-8").strip(),
            "java": first_match(r'version "([^"]+)"', said(["java", "-version"])),
            "librdkafka": said(["pkg-config", "--modversion", "rdkafka"]),
        },
    }


def slug(text):
    """A processor's name, as short as it is still known by: amd-epyc-7b13, intel-xeon."""
    text = re.sub(r"\(.*?\)|@.*|\b(cpu|processor|\d+-core)\b", " ", text.lower())
    return "-".join(re.findall(r"[a-z0-9]+", text)[:3]) or "machine"


def first(pattern, file):
    try:
        return first_match(pattern, file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""


def first_match(pattern, text):
    found = re.search(pattern, text)
    return found.group(1).strip() if found else ""


def said(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return (done.stdout or done.stderr).strip()
