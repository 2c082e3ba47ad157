"""`python -m bench [--only ID] [--quick]`: runs each benchmark in a process of its own and writes the report."""

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import subprocess
import sys
import time
from pathlib import Path

from bench import report
from bench.catalogue import BENCHMARKS
from bench.figure import Benchmark, Figure
from common import logs

HERE = Path(__file__).parent
LONGEST_SECONDS, LONGEST_QUICK_SECONDS = 7_200, 900  # of one benchmark; the first one may fill a large cluster
PROFILED = 30  # functions


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", metavar="ID", help="one benchmark: " + ", ".join(b.id for b in BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="a small round that shows that they work")
    parser.add_argument("--profile", action="store_true", help="one benchmark, and where its own process spends time")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # in this process, figures to stdout
    args = parser.parse_args()
    chosen = [b for b in BENCHMARKS if not args.only or args.only in (b.id, *b.family)]
    if not chosen:
        parser.error(f"no benchmark is called {args.only}")
    if args.here or args.profile:
        figures = _measure(chosen[0], quick=args.quick, profile=args.profile)
        print(json.dumps([f.entry() for f in figures]))
        return 0
    folder = HERE.parent / "build" / "bench" if args.quick else HERE
    return _round(chosen, quick=args.quick, folder=folder)


def _measure(benchmark: Benchmark, *, quick: bool, profile: bool) -> list[Figure]:
    logs.configure("error")  # the measured parts say what they do; a benchmark says its figures
    if not profile:
        return asyncio.run(benchmark.run(quick))
    with cProfile.Profile() as profiler:
        figures = asyncio.run(benchmark.run(quick))
    pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(PROFILED)
    return figures


def _round(chosen: list[Benchmark], *, quick: bool, folder: Path) -> int:
    entries: list[report.Entry] = []
    failures: dict[str, str] = {}
    for benchmark in chosen:
        print(f"bench: {benchmark.id}: {benchmark.title}", flush=True)
        started, load = time.monotonic(), os.getloadavg()[0]
        measured, failure = _run(benchmark, quick=quick)
        entries += measured
        if failure:
            failures[benchmark.id] = failure
            print(f"bench: {benchmark.id} broke: {failure}", flush=True)
        for e in measured:
            e["conditions"] += f"; load average {load:.1f} before it"
            mark = "met" if e["met"] else "MISSED"
            print(f"bench:   {e['id']} = {e['value']:g} {e['unit']} (target {e['target']:g}, {mark})", flush=True)
        print(f"bench:   took {time.monotonic() - started:.0f} s", flush=True)
        report.write(entries, failures, folder)  # after each, so that an interrupted round keeps what it has
    print(f"bench: {len(entries)} figures in {folder / 'report.md'}")
    return 1 if failures else 0


def _run(benchmark: Benchmark, *, quick: bool) -> tuple[list[report.Entry], str]:
    """The figures of a benchmark in a process of its own, or why there are none."""
    command = [sys.executable, "-m", "bench", "--here", "--only", benchmark.id, *(["--quick"] if quick else [])]
    longest = LONGEST_QUICK_SECONDS if quick else LONGEST_SECONDS
    try:
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=longest)
    except subprocess.TimeoutExpired:
        return [], f"it took longer than {longest} s"
    if answer.returncode:
        return [], f"exit code {answer.returncode}"
    return json.loads(answer.stdout.splitlines()[-1]), ""


if __name__ == "__main__":
    sys.exit(main())
