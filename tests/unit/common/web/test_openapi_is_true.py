"""What the description promises is what the factory's applications answer, whatever they are sent."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from tests.support.web import ADMIN_TOKEN, TOKENS, sample_router

from common.metrics import ServiceMetrics
from common.web.app import create_app
from common.web.settings import WebSettings

CREDENTIAL = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
APP = create_app(
    "sample",
    "1.0",
    routers=[sample_router()],
    authenticator=TOKENS,
    probes=[],
    metrics=ServiceMetrics("sample", "1.0"),
    settings=WebSettings(),
)
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP, headers=CREDENTIAL, config=SchemathesisConfig())
# Not that every value of the right shape is accepted: what a cursor may hold, no schema can say.
CHECKED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
        "ignored_auth",
        "unsupported_method",
    ]
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_server_error_and_no_undocumented_answer(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=CHECKED, headers=CREDENTIAL)
