"""The shape of a policy file: it validates, and it is published as JSON Schema."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from auto_healing.actions import ACTIONS
from auto_healing.actions.cleanup import CLEANUP_ACTIONS
from auto_healing.actions.cleanup.settings import CleanupSettings
from auto_healing.fault import FaultLevel
from auto_healing.guards.settings import GuardSettings
from auto_healing.plan import Mode
from auto_healing.policy import CALL_A_HUMAN
from auto_healing.policy.codes import KIND_OF_CODE
from auto_healing.policy.settings import Attribution, Promotion, Scope
from common.contracts import Severity
from common.contracts.health import Scalar
from common.policy.shape import Duration, Strict, json_schema, word_of

# Those of cleanup look for what nobody uses by their own schedules.
LADDER_ACTIONS = tuple(action.code for action in ACTIONS if action not in CLEANUP_ACTIONS)


def _named(value: object) -> object:
    """A rung may be written as nothing but its action."""
    return {"action": value} if isinstance(value, str) else value


def _long_enough(value: timedelta) -> timedelta:
    if value < timedelta(minutes=1):
        raise ValueError("must be at least 1m: nothing in a cluster settles sooner")
    return value


Settling = Annotated[Duration, AfterValidator(_long_enough)]
AMode = Annotated[Mode, word_of(Mode)]
ASeverity = Annotated[Severity, word_of(Severity)]
ALevel = Annotated[FaultLevel, word_of(FaultLevel)]


class MatchDocument(Strict):
    """Which faults a rule is for. What is left out matches all."""

    codes: list[str] = Field(default_factory=list)
    """Codes of findings, such as pod-crash-loop"""
    severities: list[ASeverity] = Field(default_factory=list)
    """Of the finding"""
    min_age: Duration = timedelta()
    """How long the finding has to have lasted. Until then rules further down are asked"""
    at_least: dict[str, float] = Field(default_factory=dict)
    """Numbers in the finding's evidence and how high they have to be, such as {restarts: 5}"""
    levels: list[ALevel] = Field(default_factory=list)
    """What the fault is attributed to"""
    kinds: list[str] = Field(default_factory=list)
    """Kinds of the object that the fault is laid upon, such as Pod or Deployment"""
    namespaces: list[str] = Field(default_factory=list)
    """Names, or patterns such as team-*"""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels that the object must have that the fault is laid upon"""


class RungDocument(Strict):
    """One remedy. When it does not help, it is undone if it can be, and the next one is tried."""

    action: str
    """Code of the action; call-a-human ends the ladder"""
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    """Of the action; the catalogue of actions tells them"""
    timeout: Settling | None = None
    """How long it may take, at least 1m. Left out: 20m for a drain, 30m for a rollout, else 10m"""
    verify: Settling = timedelta(minutes=5)
    """How long it is watched whether it helped, at least 1m"""


RuleName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
ARung = Annotated[RungDocument, BeforeValidator(_named)]


class RuleDocument(Strict):
    """One rule. With the name of a default rule it changes what it gives of that one; else it comes before them all."""

    name: RuleName
    """Lower-case words with hyphens; runs, metrics and the ledger name it"""
    mode: AMode | None = None
    """How far it may go by itself, instead of the mode for all"""
    match: MatchDocument | None = None
    """Which faults it is for"""
    ladder: Annotated[list[ARung], Field(min_length=1)] | None = None
    """Remedies, the mildest first. A name alone is a rung with the default times"""
    approval_expires: Duration | None = None
    """How long a run waits for approval, instead of the time for all"""


class PolicyDocument(Strict):
    """Policy of auto_healing: what may be healed, how, and how far that may go by itself."""

    version: Literal[1]
    """Version of this format"""
    mode: AMode = Mode.OBSERVE
    """How far rules may go that do not say: off, observe, approve or auto. Observe changes nothing in the cluster and
    records what would have been done"""
    approval_expires: Duration = timedelta(hours=1)
    """How long a run waits for approval"""
    scope: Scope = Field(default_factory=Scope)
    """Who is healed at all"""
    rules: list[RuleDocument] = Field(default_factory=list)
    """Asked in their order; the first that matches a fault decides. The default rules follow"""
    attribution: Attribution = Field(default_factory=Attribution)
    """From when on many failures count as one fault of something larger"""
    promotion: Promotion = Field(default_factory=Promotion)
    """What a rule must have shown before it is recommended for more"""
    guards: GuardSettings = Field(default_factory=GuardSettings)
    """What stops an action"""
    cleanup: CleanupSettings = Field(default_factory=CleanupSettings)
    """What is cleaned up, when, and how much at once"""


def policy_json_schema() -> dict[str, Any]:
    """For editors, with every known code and action."""
    schema = json_schema(PolicyDocument)
    definitions = schema["$defs"]
    actions = [*LADDER_ACTIONS, CALL_A_HUMAN]
    rung = definitions["RungDocument"]
    rung["properties"]["action"]["enum"] = actions
    definitions["RungDocument"] = {"anyOf": [{"type": "string", "enum": actions}, rung]}
    definitions["MatchDocument"]["properties"]["codes"]["items"]["enum"] = sorted(KIND_OF_CODE)
    return schema
