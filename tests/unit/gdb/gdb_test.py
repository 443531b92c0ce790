"""tools/semel_gdb.py, as gdb itself runs it on a program with values (values.cpp, whose path is in SEMEL_GDB_VALUES)."""

import os
import shutil
import subprocess
import unittest
from pathlib import Path

PRINTERS = Path(__file__).resolve().parents[3] / "tools/semel_gdb.py"
SHOWN = {
    "tp": "clicks[3]",
    "range": "clicks[3] [100, 250)",
    "batch_time": "1700000000000",
    "mark": "offset 99 at 1600000000000, checksum 0badcafe",
    "progress": "clicks[3] until 100 by batch 1700000000000",
    "task": "load clicks[3] [100, 250) of batch 1700000000000, epoch 8 recheck",
    "entry": "until 250, epoch 8, owner b7e1",
    "missing": "until none, epoch -1, owner ",
    "error": "in_doubt, sink: the reply was lost",
    "good": "ok 7",
    "fine": "ok",
    "bad": "error in_doubt, sink: the reply was lost",
    "state": "running, epoch 8, 2 partitions\n"
             "  clicks[3]: committed 100, position 250, latest 1000, queue: clicks[3] [100, 250) running\n"
             "  views[0]: committed 0, position 0, latest none, queue: empty",
}


class Gdb(unittest.TestCase):
    def test_gdb_shows_values_as_messages_do(self):
        if not shutil.which("gdb"):
            return  # where another release is tried there is none
        # The names are of an unnamed namespace, and some are the C library's as well.
        asked = [one for name in SHOWN for one in ("-ex", f"echo [{name}]", "-ex", f"output '(anonymous namespace)::{name}'")]
        told = subprocess.run(
            ["gdb", "-nx", "--batch", "-ex", "set debuginfod enabled off", "-ex", "set breakpoint pending off", "-x", PRINTERS,
             "-ex", "break look", "-ex", "run", *asked, "-ex", "echo [end]", "-ex", "kill", os.environ["SEMEL_GDB_VALUES"]],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=100,
            # libstdc++'s printers are asked not to warn of terminals.
            env={**os.environ, "TERM": "dumb"})
        for name, shown in SHOWN.items():
            found = told.stdout.partition(f"[{name}]")[2]
            self.assertTrue(found.startswith(shown + "["), f"{name} is shown as {found[:300]!r}\n{told.stderr}")


if __name__ == "__main__":
    unittest.main()
