"""`python -m bench.launch COMMAND...`: runs it and prints what it took, as JSON.

From a small process, since Linux counts the memory of whoever starts a program towards that program's peak.
"""

import json
import os
import subprocess
import sys
import time


def main(command: list[str]) -> int:
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    print(json.dumps({"wall_seconds": wall, "cpu_seconds": cpu, "peak_mib": usage.ru_maxrss / 1024}))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
