"""The numbers that guards go by, as the policy file gives them."""

from pydantic import BaseModel, ConfigDict


class GuardSettings(BaseModel):
    """Guards."""

    model_config = ConfigDict(frozen=True, extra="forbid")
