"""Writes the figures of a round: report.json for machines, report.md for people."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("kubernetes_asyncio", "msgspec", "fastapi", "sqlalchemy", "psycopg", "uvloop", "aiohttp")

Entry = dict[str, Any]


def machine() -> Entry:
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    return {
        "cores": os.cpu_count(),
        "cpu": cpu,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def commit() -> str:
    answer = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def write(entries: list[Entry], failures: dict[str, str], folder: Path) -> None:
    """Merges into what an earlier round left, so that one benchmark can be measured anew by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.json"
    kept = json.loads(path.read_text())["figures"] if path.exists() else []
    new = {entry["id"] for entry in entries}
    figures = sorted([e for e in kept if e["id"] not in new] + entries, key=lambda e: e["id"])
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "figures": figures,
        "failures": failures,
    }
    path.write_text(json.dumps(report, indent=2) + "\n")
    (folder / "report.md").write_text(markdown(report))


def markdown(report: Entry) -> str:
    host = report["machine"]
    lines = [
        "# Benchmarks",
        "",
        f"Measured {report['measured_at']} at {report['commit']} on {host['cores']} cores ({host['cpu']}), "
        f"{host['memory_gib']} GiB, Python {host['python']}. Medians; ratios are taken within one run.",
        "",
        "| id | what | value | min to max | target | met |",
        "|---|---|---|---|---|---|",
    ]
    for e in report["figures"]:
        sign = "<=" if e["better"] == "lower" else ">="
        lines.append(
            f"| `{e['id']}` | {e['what']} | **{e['value']:,g} {e['unit']}** | {e['min']:,g} to {e['max']:,g} "
            f"| {sign} {e['target']:,g} | {'yes' if e['met'] else '**no**'} |"
        )
    notes = [f"- `{e['id']}`: {e['conditions']}. {e['note']}".rstrip() for e in report["figures"]]
    return "\n".join([*lines, "", "## Conditions", "", *notes, ""])
