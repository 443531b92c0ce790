"""The peers: directories with a peer.toml, a `start`, and perhaps a `fetch` and a `prepare`."""

import os
import signal
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"

# How a guarantee is ranked in the table and coloured in the chart.
CLASSES = ("exactly once", "at least once", "none")


class PeerError(Exception):
    """What a person has to put right in a peer's directory."""


@dataclass
class Peer:
    name: str
    directory: Path
    title: str
    guarantee: str
    guarantee_class: str  # one of CLASSES
    ends: bool  # exits by itself at the end offsets seen at its start
    lines: int | None  # what a user writes; None for what nobody would write
    note: str = ""
    versions: str = ""  # said by `fetch`

    def facts(self):
        """What the raw file keeps."""
        return {
            "title": self.title,
            "guarantee": self.guarantee,
            "class": self.guarantee_class,
            "ends": self.ends,
            "lines": self.lines,
            "note": self.note,
            "versions": self.versions,
        }


def count_lines(text):
    """Lines that are neither empty nor only a comment, as shell, Python, TOML, properties, SQL, C++ and
    Java write one."""
    count, in_block = 0, False
    for line in text.splitlines():
        line = line.strip()
        if in_block:
            in_block = "*/" not in line
        elif line.startswith("/*"):
            in_block = "*/" not in line
        elif line and not line.startswith(("#", "//", "--")):
            count += 1
    return count


def load(name, where=PEERS):
    """The peer of this name there, or in the directory that it is a path of."""
    directory = Path(name).resolve() if "/" in name else where / name
    described = directory / "peer.toml"
    if not described.is_file():
        raise PeerError(f"no peer {name}: {described} is missing (bench/run --list names them)")
    try:
        values = tomllib.loads(described.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise PeerError(f"{described}: {error}") from error
    known = {"title", "guarantee", "class", "ends", "user_files", "note"}
    missing = {"title", "guarantee", "class", "ends", "user_files"} - values.keys()
    if missing or values.keys() - known:
        wrong = sorted(missing) or sorted(values.keys() - known)
        raise PeerError(f"{described}: {'missing' if missing else 'unknown'}: {', '.join(wrong)}")
    if values["class"] not in CLASSES:
        raise PeerError(f"{described}: class is one of {', '.join(CLASSES)}")
    if not os.access(directory / "start", os.X_OK):
        raise PeerError(f"{directory / 'start'} is missing, or not executable")
    files = [directory / file for file in values["user_files"]]
    return Peer(
        name=directory.name,
        directory=directory,
        title=values["title"],
        guarantee=values["guarantee"],
        guarantee_class=values["class"],
        ends=values["ends"],
        lines=sum(count_lines(file.read_text(encoding="utf-8")) for file in files) if files else None,
        note=values.get("note", ""),
    )


def names():
    return sorted(path.parent.name for path in PEERS.glob("*/peer.toml"))


def alternating(peers, round_number):
    """Their order in a round: every second round the other way round."""
    return list(peers) if round_number % 2 else list(reversed(peers))


def run_script(script, environment):
    """Its standard output. Raises PeerError with the end of what it said; nothing of it is left behind."""
    process = subprocess.Popen(
        [script], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
    )
    try:
        output, errors = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    if process.returncode != 0:
        raise PeerError(f"{script} failed:\n{tail(output + errors)}")
    return output


def fetch(peer, environment):
    """Brings what the peer needs, and notes the versions that its last line says. Raises PeerError."""
    script = peer.directory / "fetch"
    if script.exists():
        lines = run_script(script, environment).strip().splitlines()
        peer.versions = lines[-1] if lines else ""


def tail(text, lines=15):
    return "\n".join(text.strip().splitlines()[-lines:])
