"""The reference of policy files in Markdown, made from the schema, the default policy and its rules."""

from auto_healing.policy import Match, Rule
from auto_healing.policy.defaults import DEFAULT_POLICY
from auto_healing.policy.schema import policy_json_schema
from auto_healing.policy.shown import shown
from common.docs.policy import policy_tables
from common.policy.shape import format_duration

EXAMPLE = """\
version: 1
mode: observe                        # for all rules that do not say
scope:
  namespaces: [shop, team-*]         # opted in, beside those labelled k8s-health-checker/heal=on
rules:
  - {name: crash-loop, mode: auto}   # a default rule: only its mode is changed
  - name: payments                   # a rule of one's own; it is asked before the default ones
    mode: approve
    match:
      codes: [pod-crash-loop, pod-not-ready]
      namespaces: [payments]
      min_age: 5m
    ladder:
      - action: restart-surge-first
        timeout: 15m
        verify: 10m
      - call-a-human
guards:
  rate_limit: {pods_per_minute: 2}
cleanup:
  clean-evicted-pods: {mode: auto}
"""

_INTRODUCTION = """\
# Policy

What may be healed, how, and how far that may go by itself. Name the file in `AUTO_HEALING_POLICY__FILE`. It is read
again whenever it changes; one with mistakes changes nothing, and all its mistakes are told with their places: in the
log, by `/readyz` and by `GET /api/v1/policy`. `POST /api/v1/policy/check` checks a file before it is rolled out, and
[healing-policy.schema.json](healing-policy.schema.json) lets an editor complete it:

```yaml
# yaml-language-server: $schema=healing-policy.schema.json
{example}```

Durations are whole numbers with units: `90s`, `5m`, `1h30m`, `2d`.

## How a rule is chosen

What is found is first attributed to faults: a pod's, a workload's, a revision's, a node's or a zone's. For each fault
the rules are asked in their order, those of the file before the default ones, and the first that matches gives the
ladder. Its first remedy that can be applied becomes the plan; one that does not help is undone if it can be, and the
next is tried. A rule whose time has not come leaves the fault to the rules below it.

What has not opted in is only observed, whatever its rule says.

## Default rules

| Rule | For | Attributed to | After | Ladder |
|---|---|---|---|---|
{rules}
"""


def policy_reference() -> str:
    rules = "\n".join(_rule_row(rule) for rule in DEFAULT_POLICY.rules)
    head = _INTRODUCTION.format(example=EXAMPLE, rules=rules)
    return f"{head}\n{policy_tables(policy_json_schema(), shown(DEFAULT_POLICY))}"


def _rule_row(rule: Rule) -> str:
    levels = ", ".join(sorted(rule.match.levels)) or "anything"
    codes = ", ".join(f"`{code}`" for code in sorted(rule.match.codes)) or "everything"
    ladder = ", ".join(rung.action for rung in rule.ladder)
    return f"| {rule.name} | {codes} | {levels} | {_after(rule.match)} | {ladder} |"


def _after(match: Match) -> str:
    numbers = [f"{least:g} {name}" for name, least in match.at_least.items()]
    return " and ".join([*([format_duration(match.min_age)] if match.min_age else []), *numbers]) or "at once"
