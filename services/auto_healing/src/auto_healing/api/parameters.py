"""Query parameters that several lists share, and the ids in paths."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import Field

Word = Annotated[str, Field(max_length=253)]

OfKind = Annotated[Word | None, Query(description="Only about objects of this kind", examples=["Deployment"])]
InNamespace = Annotated[Word | None, Query(description="Only about objects in this namespace", examples=["shop"])]
Named = Annotated[Word | None, Query(description="Only about objects of this name", examples=["checkout"])]
OfAction = Annotated[Word | None, Query(description="Only with this action", examples=["restart-rollout"])]
OfRun = Annotated[UUID | None, Query(description="Only of the run with this id")]
RunId = Annotated[UUID, Path(description="The run's id, as lists of runs tell it")]
