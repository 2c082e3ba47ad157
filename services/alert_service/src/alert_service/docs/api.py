"""docs/alerting-api.md and docs/alerting-openapi.json: what can be asked over HTTP."""

from alert_service.api.routes import ROUTERS
from common.docs.api import ApiDocuments

INTRODUCTION = """\
# API of alert_service

Everything below `/api/v1` takes and gives JSON; [alerting-openapi.json](alerting-openapi.json) is the full description,
for generators of clients, and is also served at `/openapi.json`. A field may be added within `v1`; none is renamed or
removed. [How alerting works](alerting.md) has examples.

- **Credential**: `Authorization: Bearer TOKEN` on every route but `/livez`, `/readyz`, what Slack posts and health
  events, whose signature is their credential, and signed links, which are one themselves. Alertmanager may send the
  token as the password of basic auth. The scope that a route needs is told with it: `read` sees everything, `operate`
  acts, silences and posts alerts, `admin` may do all of it. `/metrics` needs `read` unless the settings open it.
- **Errors** are problem details (RFC 9457, `application/problem+json`): 400 and 422 name each mistake, 401 and 403 are
  about the credential, 409 says what stands against it, 413 is about the size, 503 says what is missing.
- **Back-pressure** is 503, never 429: Alertmanager gives up for good on every 4xx.
- **Pages**: `limit` and `cursor`; give `next_cursor` of an answer as `cursor` to get the page after it.
- **Replicas**: any of them answers, and takes what comes in.
"""

API = ApiDocuments("alert_service", ROUTERS, INTRODUCTION)
