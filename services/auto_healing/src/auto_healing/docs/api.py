"""docs/healing-api.md and docs/healing-openapi.json: what can be asked over HTTP."""

from auto_healing.api.routes import ROUTERS
from common.docs.api import ApiDocuments

INTRODUCTION = """\
# API of auto_healing

Everything below `/api/v1` takes and gives JSON; [healing-openapi.json](healing-openapi.json) is the full description,
for generators of clients, and is also served at `/openapi.json`. A field may be added within `v1`; none is renamed or
removed. [How healing works](healing.md) has examples.

- **Credential**: `Authorization: Bearer TOKEN` on every route but `/livez`, `/readyz` and the webhook, whose signature
  is its credential. The scope that a route needs is told with it: `read` sees everything, `approve` says yes or no to
  runs that wait, `operate` asks for runs, pauses, undoes and restores, `admin` may do all of it. `/metrics` needs
  `read` unless the settings open it.
- **Errors** are problem details (RFC 9457, `application/problem+json`): 400 and 422 name each mistake, 401 and 403 are
  about the credential, 409 says what stands against it, 413 is about the size, 503 says what is missing.
- **Refusals** are answers: a 409 of `POST /api/v1/runs` has the guard's code in `guard`, its numbers in `numbers`, and
  in `look_again_at` when asking again may be worth it.
- **Pages**: `limit` and `cursor`; give `next_cursor` of an answer as `cursor` to get the page after it.
- **Replicas**: any of them answers. What changes the cluster is done by the one that leads; a restore that reached
  another one is answered with 503 and `Retry-After`.
"""

API = ApiDocuments("auto_healing", ROUTERS, INTRODUCTION)
