"""The settings group of a service's policy file."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field


class PolicySettings(BaseModel):
    """The policy file."""

    file: Annotated[Path | None, Field(description="YAML file. Unset: the defaults hold.")] = None
    poll_seconds: Annotated[
        float, Field(ge=0.1, le=3600, description="How often it is looked at for changes; a look costs one stat().")
    ] = 5.0
