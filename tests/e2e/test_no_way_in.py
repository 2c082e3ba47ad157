"""Without a credential that counts nobody gets an answer, whatever is asked for."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from tests.support.apiserver import kubeconfig_for
from tests.support.service import Service, running

OPEN = {"/livez", "/readyz"}
READER, ADMIN = "token-of-a-reader", "token-of-an-admin"
HASHES = {token: hashlib.sha256(token.encode()).hexdigest() for token in (READER, ADMIN)}
FORGED = {
    "none": {},
    "an unknown token": {"Authorization": "Bearer forged"},
    "an empty token": {"Authorization": "Bearer"},
    "the hash in the settings": {"Authorization": f"Bearer {HASHES[ADMIN]}"},
    "the name in the settings": {"Authorization": "Bearer admin"},
    "the token with more": {"Authorization": f"Bearer {ADMIN}x"},
    "another scheme": {"Authorization": f"Basic {base64.b64encode(f'admin:{ADMIN}'.encode()).decode()}"},
    "another header": {"X-Forwarded-User": "admin", "X-Remote-User": "admin", "Cookie": f"token={ADMIN}"},
}
ANY_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """One without a cluster, to which both tokens above lead."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(kubeconfig_for("http://127.0.0.1:1")))
    tokens = f"reader:read:{HASHES[READER]},admin:admin:{HASHES[ADMIN]}"
    async with running(kubeconfig, WEB__TOKENS=tokens) as service:
        service.secrets += [READER, ADMIN]

        async def is_up() -> bool:
            return (await service.answer("/livez")).status_code == 200

        await service.eventually(is_up)
        yield service


async def routes(service: Service) -> list[tuple[str, str]]:
    """Method and path of each, the parameters filled in."""
    headers = {"Authorization": f"Bearer {ADMIN}"}
    described = (await service.answer("/openapi.json", headers=headers)).json()
    found = [(method.upper(), path) for path, methods in described["paths"].items() for method in methods]
    assert len(found) > 25
    return [(method, re.sub(r"\{\w+_id\}", ANY_ID, path).replace("{", "").replace("}", "")) for method, path in found]


async def test_every_route_but_the_probes_asks_for_a_credential(service: Service) -> None:
    let_in = []
    for method, path in [*await routes(service), ("GET", "/openapi.json")]:
        for what, headers in FORGED.items():
            answer = await service.answer(path, method, headers={"Authorization": ""} | headers, json={})
            if path in OPEN:
                assert answer.status_code in {200, 503}
            elif answer.status_code != 401 or "www-authenticate" not in answer.headers:
                let_in.append((what, method, path, answer.status_code))
    assert let_in == []


async def test_a_token_in_the_address_does_not_count(service: Service) -> None:
    for name in ("token", "access_token", "api_key"):
        answer = await service.answer("/api/v1/cluster", params={name: ADMIN}, headers={"Authorization": ""})
        assert answer.status_code == 401


async def test_a_reader_changes_nothing(service: Service) -> None:
    """The scope is looked at before the request is: what it holds does not matter."""
    headers = {"Authorization": f"Bearer {READER}"}
    changing = [each for each in await routes(service) if each[0] != "GET" and each[1] != "/api/v1/explain"]
    assert changing
    for method, path in changing:
        answer = await service.answer(path, method, headers=headers, json={})
        assert answer.status_code == 403, (method, path)
