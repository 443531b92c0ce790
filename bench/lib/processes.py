"""A peer's processes: started in a session of their own, measured, and ended for certain.

CPU is what the kernel hands to whoever waits for a process. bench/run is a "child subreaper": what a
killed process leaves behind becomes its child, so that it can wait for all of them, and the sum is
exact. For a peer that never ends the CPU at a moment in the middle is wanted as well: it and the memory
come from samples of /proc.
"""

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass

PR_SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
# Looking for new processes reads all of /proc; looking at known ones is cheap.
SEARCH_EVERY_S = 0.5
SAMPLE_EVERY_S = 0.05


def become_subreaper():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


@dataclass
class Stat:
    state: str
    parent: int
    session: int
    cpu_s: float  # its own, and that of the children it waited for
    rss: int


def read_stat(pid):
    """/proc/PID/stat, or None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Stat(
        state=fields[0],
        parent=int(fields[1]),
        session=int(fields[3]),
        cpu_s=sum(map(int, fields[11:15])) / TICKS,
        rss=int(fields[21]) * PAGE,
    )


def processes_of(session):
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := read_stat(entry)) and stat.session == session:
            found[int(entry)] = stat
    return found


def family_of(pid):
    """The process and all that descend from it, whatever sessions they made for themselves."""
    stats = {int(entry): read_stat(entry) for entry in os.listdir("/proc") if entry.isdigit()}
    stats = {other: stat for other, stat in stats.items() if stat}
    family, added = set(), {pid}
    while added:
        family |= added
        added = {other for other, stat in stats.items() if stat.parent in added} - family
    return {member: stats[member] for member in family if member in stats}


@dataclass
class Sample:
    at: float  # seconds since the epoch
    cpu_s: float
    rss: int


class ProcessTree:
    """A command and all that it starts."""

    def __init__(self, command, environment, log):
        self.samples = []
        self.cpu_s = 0.0  # of those that were waited for
        self.peak_bytes = 0
        self.killed_at = None  # seconds since the epoch
        self.code = None  # of the first process; negative: the signal that ended it
        self._known = set()
        self._searched = self._sampled = 0.0
        with open(log, "ab") as output:
            self.started_at = time.time()
            self._root = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )
        self.pid = self._root.pid  # and its session and process group

    def poll(self):
        """Takes a sample where one is due. Whether the first process is still running."""
        now = time.monotonic()
        if now - self._searched >= SEARCH_EVERY_S or not self.samples:
            self._known = set(processes_of(self.pid))
            self._searched = now
        if now - self._sampled >= SAMPLE_EVERY_S:
            stats = [stat for pid in self._known if (stat := read_stat(pid))]
            rss = sum(stat.rss for stat in stats)
            self.samples.append(Sample(time.time(), sum(stat.cpu_s for stat in stats), rss))
            self.peak_bytes = max(self.peak_bytes, rss)
            self._sampled = now
        return self.code is None and not self._wait_for(self.pid, os.WNOHANG)

    def _wait_for(self, pid, flags=0):
        """Whether the process is over, and waited for."""
        try:
            waited, status, usage = os.wait4(pid, flags)
        except ChildProcessError:
            return True
        if waited == 0:
            return False
        self.cpu_s += usage.ru_utime + usage.ru_stime
        # Exact where there is one process only; a sample may have missed its peak.
        self.peak_bytes = max(self.peak_bytes, usage.ru_maxrss * 1024)
        if pid == self.pid:
            self.code = os.waitstatus_to_exitcode(status)
            self._root.returncode = self.code  # for subprocess, which did not see it
        return True

    def kill(self):
        """SIGKILL to all of them, until there are none."""
        self.killed_at = time.time()
        while True:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            left = processes_of(self.pid)
            if not left:
                return
            for pid, stat in left.items():
                if stat.state != "Z":
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                if stat.parent == os.getpid():
                    self._wait_for(pid, os.WNOHANG)
            time.sleep(0.005)

    def cpu_until(self, moment):
        """CPU seconds at the first sample after this moment; what was waited for, if there is none."""
        for sample in self.samples:
            if sample.at >= moment:
                return sample.cpu_s
        return self.cpu_s
