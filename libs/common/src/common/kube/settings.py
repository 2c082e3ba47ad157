"""How the API server is reached."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class KubeSettings(BaseModel):
    """Without any of these, the kubeconfig is found as kubectl finds it, and in a pod its service account is used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kubeconfig: Path | None = Field(
        None, description="Kubeconfig file. Default: KUBECONFIG, then ~/.kube/config, then the pod's service account"
    )
    context: str | None = Field(None, description="Context of the kubeconfig. Default: its current context")
    connect_timeout_seconds: float = Field(10.0, gt=0, description="Until a connection stands")
    request_timeout_seconds: float = Field(
        60.0, gt=0, description="For one answer; the API server itself gives up after 60 seconds"
    )
    attempts: int = Field(
        5, ge=1, description="How often a request is tried when the server is overloaded or the connection is lost"
    )


class ClusterSettings(KubeSettings):
    """The cluster. Without any of these it is the one that kubectl would talk to."""

    name: Annotated[
        str,
        Field(
            description="Name of the cluster in events (source /clusters/<name>) and answers. "
            "Default: the context's, or in-cluster",
            pattern=r"^[A-Za-z0-9._-]*$",
            max_length=100,
        ),
    ] = ""
