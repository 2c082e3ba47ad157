"""The settings group of a service's logs."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class LogSettings(BaseModel):
    """Logs."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="Least level that is logged.")] = (
        "info"
    )
    json_lines: Annotated[
        bool | None, Field(description="One JSON object a line. Default: unless standard error is a terminal")
    ] = None
