"""What the demo prints: one line for each thing that happens, readable in a terminal and in a log."""

import io
import re
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
LEDGER_STYLES = {"healed": "bold green", "declined": "yellow", "failed": "bold red", "undone": "bold red"}
WORDS = {"opened": "OPENED", "changed": "CHANGED", "resolved": "RESOLVED"}

PICTURE_COLUMNS = 150
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # to be loaded from elsewhere; the viewer's own will do


Event = dict[str, Any]


class Screen:
    """Prints with the seconds since the start in front."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._film = Console(file=io.StringIO(), record=True, width=PICTURE_COLUMNS, highlight=False)
        self._started = time.monotonic()
        self._last: tuple[str, ...] = ()  # what tells alike events from others
        self._alike = 0  # events like the last one that are not shown

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def step(self, text: str) -> None:
        self._print(Text(text))

    def chapter(self, title: str) -> None:
        self._fold()
        self._console.print()
        self._film.print()
        self._print(Text(title, style="bold"))

    def score(self, cluster: Event, seen: str) -> None:
        score = cluster["score"]
        line = Text("cluster score ")
        line.append(f"{score['value']:.1f}", style=_grade(score["value"]))
        line.append(f" of 100, confidence {score['confidence']:.2f}; {seen}")
        self._print(line)

    def event(self, event: Event) -> None:
        """What is told of many objects at once is one line, and how many more there were."""
        data = event["data"]
        finding = data["finding"]
        about = finding["object"]
        alike = (data["change"], finding["severity"], finding["code"], about["kind"], about["namespace"])
        if alike == self._last:
            self._alike += 1
            return
        resolved = data["change"] == "resolved"
        line = Text(f"{WORDS[data['change']]:8} ", style="green" if resolved else STYLES[finding["severity"]])
        line.append(f"{finding['severity']:8} ", style="dim" if resolved else STYLES[finding["severity"]])
        line.append(f"{finding['code']:26} ")
        where = "/".join(part for part in (about["namespace"], about["name"]) if part)
        line.append(f"{about['kind']} {where}: ", style="bold")
        line.append(finding["message"] if not data["storm"] else f"{data['count']} of them; {finding['message']}")
        if data.get("cluster_score") is not None:
            line.append(f"  [cluster {data['cluster_score']:.1f}]", style=_grade(data["cluster_score"]))
        self._print(line, indent="  ")
        self._last = alike

    def ledger(self, entry: Event, others: int) -> None:
        """What healing decided or did, and why; of so many other objects as well."""
        line = Text(f"{entry['event'].upper():14} ", style=LEDGER_STYLES.get(entry["event"], "blue"))
        line.append(f"{entry['action'] or '-':22} ")
        place = "/".join(part for part in (entry["namespace"], entry["name"]) if part)
        line.append(f"{entry['kind']} {place}: ", style="bold")
        line.append(f"[{entry['guard']}] " if entry["guard"] else "", style="dim")
        line.append(entry["message"] or entry["outcome"])
        line.append(f" (and {others} more)" if others else "", style="dim")
        self._print(line, indent="  ")

    def chat(self, vendor: str, channel: str, text: str, *, again: bool, below: bool) -> None:
        """What people read: a new message, one that was changed in place, or a reply below one."""
        line = Text(f"{'CHANGED' if again else 'REPLY' if below else 'MESSAGE':8} ", style="magenta")
        line.append(f"{vendor} #{channel}: ", style="bold")
        line.append(text)
        self._print(line, indent="  ")

    def _fold(self) -> None:
        """Another line comes: say how many were like the last one."""
        alike, self._alike, self._last = self._alike, 0, ()
        if alike:
            self._print(Text(f"(and {alike} more)", style="dim"), indent="  ")

    def save_picture(self, file: Path) -> None:
        """Everything printed so far, as an SVG; lines that are too long are cut."""
        file.write_text(FONTS.sub("", self._film.export_svg(title="make demo")))

    def _print(self, text: Text, indent: str = "") -> None:
        self._fold()
        line = Text(f"{self.seconds:6.1f} s  {indent}", style="dim") + text
        self._console.print(line)
        self._film.print(line, no_wrap=True, overflow="ellipsis")


def _grade(score: float) -> str:
    """Green from 90 on, yellow from 70 on, red below."""
    return "bold green" if score >= 90 else "bold yellow" if score >= 70 else "bold red"
