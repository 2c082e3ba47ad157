"""`python -m bench [--only ID] [--quick]`: runs each benchmark in a process of its own and writes the report."""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

from bench import report
from bench.catalogue import BENCHMARKS
from bench.figure import Benchmark
from common import logs

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", metavar="ID", help="one benchmark: " + ", ".join(b.id for b in BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="a small round that shows that they work")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # in this process, figures to stdout
    args = parser.parse_args()
    chosen = [b for b in BENCHMARKS if not args.only or args.only in (b.id, *b.family)]
    if not chosen:
        parser.error(f"no benchmark is called {args.only}")
    if args.here:
        logs.configure("error")  # the measured parts say what they do; a benchmark says its figures
        figures = asyncio.run(chosen[0].run(args.quick))
        print(json.dumps([f.entry() for f in figures]))
        return 0
    folder = HERE.parent / "build" / "bench" if args.quick else HERE
    return _round(chosen, quick=args.quick, folder=folder)


def _round(chosen: list[Benchmark], *, quick: bool, folder: Path) -> int:
    entries: list[report.Entry] = []
    failures: dict[str, str] = {}
    for benchmark in chosen:
        print(f"bench: {benchmark.id}: {benchmark.title}", flush=True)
        started = time.monotonic()
        command = [sys.executable, "-m", "bench", "--here", "--only", benchmark.id, *(["--quick"] if quick else [])]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if answer.returncode:
            failures[benchmark.id] = f"exit code {answer.returncode}"
            print(f"bench: {benchmark.id} broke: {failures[benchmark.id]}", flush=True)
            continue
        measured = json.loads(answer.stdout.splitlines()[-1])
        entries += measured
        for e in measured:
            mark = "met" if e["met"] else "MISSED"
            print(f"bench:   {e['id']} = {e['value']:g} {e['unit']} (target {e['target']:g}, {mark})", flush=True)
        print(f"bench:   took {time.monotonic() - started:.0f} s", flush=True)
        report.write(entries, failures, folder)  # after each, so that an interrupted round keeps what it has
    print(f"bench: {len(entries)} figures in {folder / 'report.md'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
