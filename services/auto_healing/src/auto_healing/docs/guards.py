"""docs/healing-guards.md: the catalogue of guards, in the order in which they are asked."""

from collections.abc import Iterator

from auto_healing.guards.catalogue import Entry, Setting, catalogue
from common.docs.notice import GENERATED
from common.docs.text import cell

INTRODUCTION = """\
# Guards

Before a plan is stored, and again before each of its steps, every guard below is asked, in this order, about the
cluster as it is then. Each either allows or declines, with a sentence, its numbers, and where it can tell, when to look
again. A guard that cannot tell for sure declines, and so does one that breaks. All refusals are in the ledger:

```sh
curl -H "Authorization: Bearer $TOKEN" "$HEALING/api/v1/audit?event=declined&guard=disruption-budget&limit=20"
```

Guards stop what may harm. What restores, such as an uncordon, an undo or the end of a leased change, goes through
unless a guard says below that it stops that as well.

The numbers stand in the policy file below `guards`; what is left out keeps its default: see
[Policy](healing-policy.md#guards). What to do when a guard says no: [runbook](runbooks/healing-declined.md).
"""


def guards_document() -> str:
    entries = catalogue()
    lines = [GENERATED, "", INTRODUCTION, "| Guard | Asks |", "|---|---|"]
    lines += [f"| [{each.code}](#{each.code}) | {cell(each.title)} |" for each in entries]
    for each in entries:
        lines += ["", *_guard(each)]
    return "\n".join(lines) + "\n"


def _guard(entry: Entry) -> Iterator[str]:
    yield f"## {entry.code}"
    yield ""
    yield f"**{entry.title}** {entry.looks_at}"
    yield ""
    stops = "Stops what restores as well." if entry.stops_restoring else "Restoring goes through."
    yield f"{stops} [Runbook](runbooks/healing-declined.md#{entry.code})"
    if entry.settings:
        yield ""
        yield "| Setting | Default | What it is, and why |"
        yield "|---|---|---|"
    yield from map(_setting, entry.settings)


def _setting(setting: Setting) -> str:
    return f"| `{setting.path}` | `{cell(setting.default)}` | {cell(setting.description)} |"
