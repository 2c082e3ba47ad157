"""docs/healing-actions.md: the catalogue of remedies."""

from collections.abc import Iterator, Mapping, Sequence

from auto_healing.actions.action import Action
from auto_healing.actions.cleanup import CLEANUP_ACTIONS
from auto_healing.actions.nodes import NODE_ACTIONS
from auto_healing.actions.pods import POD_ACTIONS
from auto_healing.actions.rollouts import ROLLOUT_ACTIONS
from auto_healing.docs.permissions import merged
from auto_healing.plan import Harm
from common.docs.notice import GENERATED
from common.docs.text import cell

FAMILIES: Mapping[str, Sequence[Action]] = {
    "Pods": POD_ACTIONS,
    "Rollouts": ROLLOUT_ACTIONS,
    "Nodes": NODE_ACTIONS,
    "Cleanup": CLEANUP_ACTIONS,
}

INTRODUCTION = """\
# Actions

Every remedy that a ladder of the policy may name, that a person may ask for, or that cleanup takes by its schedule.
Each looks at the live object again before it does anything, acts on that one life of it (its uid) and on no other that
has taken its name, and can be called again after a crash at any line: it does only what is still missing. Evidence is
stored before anything is removed.

What one would do here and now, with a destination for every pod, and without any write:

```sh
curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$HEALING/api/v1/plans" \\
  -d '{"scenario": "drain", "nodes": ["node-7"]}'
```

[Guards](healing-guards.md) say when a harmful action may not be taken.
When one failed: [runbook](runbooks/healing-runs.md).
"""

_CLEANUP = """\
These are named by `cleanup` in the policy, not by ladders. Each marks what it found unused, tells the owner by an
Event, and deletes it only after it was found unused for some looks in a row and a grace period; see
[How healing works](healing.md#cleanup) and the settings in [Policy](healing-policy.md#cleanup).
"""


def actions_document() -> str:
    lines = [GENERATED, "", INTRODUCTION]
    for family, actions in FAMILIES.items():
        lines += [f"## {family}", "", *([_CLEANUP] if actions is CLEANUP_ACTIONS else [])]
        lines += [*_overview(actions), ""]
        for action in actions:
            lines += [*_action(action), ""]
    return "\n".join(lines).rstrip() + "\n"


def _overview(actions: Sequence[Action]) -> Iterator[str]:
    yield "| Action | What it does | Undone |"
    yield "|---|---|---|"
    for action in actions:
        yield f"| [{action.code}](#{action.code}) | {cell(action.title)} | {'yes' if action.undoable else 'no'} |"


def _action(action: Action) -> Iterator[str]:
    harm = "Harmful: guards may stop it" if action.harm is Harm.HARMFUL else "Restoring: guards let it through"
    yield f"### {action.code}"
    yield ""
    yield f"**{_sentence(action.title)}** {harm}. On: {', '.join(sorted(action.kinds))}."
    yield ""
    yield f"- **Expected**: {_sentence(action.expects)}"
    yield f"- **Undo**: {_sentence(action.undoable) if action.undoable else 'none; what it did stays done.'}"
    yield f"- **Permissions**: {_permissions(action)}"
    if action.parameters:
        yield ""
        yield "| Parameter | What it is |"
        yield "|---|---|"
    for name, meaning in action.parameters.items():
        yield f"| `{name}` | {cell(meaning)} |"


def _permissions(action: Action) -> str:
    rules = merged(action.permissions).items()
    return "; ".join(f"{', '.join(sorted(verbs))} `{_resource(*key)}`" for key, verbs in rules) + "."


def _resource(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."
