"""docs/api.md and docs/openapi.json: what can be asked over HTTP."""

from common.docs.api import ApiDocuments
from health_monitor.api.routes import ROUTERS

INTRODUCTION = """\
# API

Everything below `/api/v1` takes and gives JSON; [openapi.json](openapi.json) is the full description, for generators of
clients, and is also served at `/openapi.json`. A field may be added within `v1`; none is renamed or removed.

- **Credential**: `Authorization: Bearer TOKEN` on every route but `/livez` and `/readyz`. The scope that a route needs
  is told with it; `/metrics` needs `read` unless the settings open it.
- **Errors** are problem details (RFC 9457, `application/problem+json`): 400 and 422 name each mistake, 401 and 403 are
  about the credential, 413 about the size, 503 says what is missing.
- **Pages**: `limit` and `cursor`; give `next_cursor` of an answer as `cursor` to get the page after it.
"""

API = ApiDocuments("health_monitor", ROUTERS, INTRODUCTION)
