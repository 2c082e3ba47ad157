"""A small client of one cluster's API server: JSON in, JSON out, errors in one line."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from .errors import DevClusterError

Object = dict[str, Any]
Answer = TypeVar("Answer")
_PLURALS = {"StorageClass": "storageclasses"}

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Access:
    """How the administrator gets in: the server's address, and the paths of files."""

    server: str
    ca_file: str
    cert_file: str
    key_file: str

    @classmethod
    def of(cls, kubeconfig: Path) -> Access:
        """By kwokctl's kubeconfig, which names files."""
        content = yaml.safe_load(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        return cls(
            server=str(cluster["server"]),
            ca_file=cluster["certificate-authority"],
            cert_file=user["client-certificate"],
            key_file=user["client-key"],
        )


def tls(kubeconfig: Path) -> tuple[str, ssl.SSLContext]:
    """The server's address and the administrator's TLS context."""
    access = Access.of(kubeconfig)
    context = ssl.create_default_context(cafile=access.ca_file)
    context.load_cert_chain(access.cert_file, access.key_file)
    return access.server, context


class Api:
    """Requests to the API server as its administrator."""

    def __init__(self, kubeconfig: Path) -> None:
        server, context = tls(kubeconfig)
        self._http = httpx.Client(base_url=server, verify=context, timeout=30)

    def close(self) -> None:
        self._http.close()

    def ready(self) -> bool:
        """Whether the API server says it is ready."""
        try:
            return self._http.get("/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def get(self, path: str) -> Object:
        return self._ask("GET", path)

    def items(self, path: str) -> list[Object]:
        found: list[Object] = self.get(path).get("items") or []
        return found

    def exists(self, path: str) -> bool:
        """Whether the API server answers with the object; False while it does not answer at all."""
        try:
            return self._http.get(path).status_code == 200
        except httpx.HTTPError:
            return False

    def create(self, body: Object) -> Object:
        """Makes an object; one that is there already is left as it is."""
        return self._ask("POST", path_of(body).rpartition("/")[0], body, accept=(409,))

    def apply(self, body: Object) -> Object:
        """Makes an object, or changes it to what is said here (server-side apply); its status is not touched."""
        path = path_of(body) + "?fieldManager=devcluster&force=true"
        return self._ask("PATCH", path, body, content_type="application/apply-patch+yaml")

    def patch(self, path: str, body: Object, kind: str = MERGE_PATCH) -> Object:
        return self._ask("PATCH", path, body, content_type=kind)

    def delete(self, path: str, body: Object | None = None) -> None:
        """Deletes an object or a collection; what is gone already is fine."""
        self._ask("DELETE", path, body, accept=(404,))

    def _ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = "application/json",
        accept: tuple[int, ...] = (),
    ) -> Object:
        try:
            answer = self._http.request(method, path, json=body, headers={"content-type": content_type})
        except httpx.HTTPError as error:
            raise DevClusterError(f"{method} {path}: the API server does not answer ({error})") from error
        if answer.is_error and answer.status_code not in accept:
            message = answer.json().get("message") if "json" in answer.headers.get("content-type", "") else answer.text
            raise DevClusterError(f"{method} {path}: {answer.status_code} {message}")
        content: Object = answer.json()
        return content


def path_of(body: Object) -> str:
    """The path of an object from its apiVersion, kind and metadata."""
    kind, metadata = body["kind"], body["metadata"]
    plural = _PLURALS.get(kind, kind.lower() + "s")
    return f"{collection(body['apiVersion'] + '/' + plural, metadata.get('namespace'))}/{metadata['name']}"


def collection(kind_path: str, namespace: str | None = None) -> str:
    """The path of a kind's objects: ``collection("apps/v1/deployments", "shop")``, ``collection("v1/nodes")``."""
    group, _, plural = kind_path.rpartition("/")
    root = f"/api/{group}" if group == "v1" else f"/apis/{group}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def wait_for(what: str, condition: Callable[[], Answer | None], timeout_seconds: float = 60) -> Answer:
    """Asks until the answer is true and returns it. Raises DevClusterError naming what did not come."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise DevClusterError(f"{what} did not come within {timeout_seconds:.0f} s")
        time.sleep(0.1)
