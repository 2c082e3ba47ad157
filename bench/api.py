"""Ways to reach an API server: a stand-in without credentials, and the clusters of a benchmark."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from common.kube.api import Api
from common.kube.connect import connect
from common.kube.settings import KubeSettings

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: bench, cluster: {{server: "{url}"}}}}]
users: [{{name: bench, user: {{}}}}]
contexts: [{{name: bench, context: {{cluster: bench, user: bench}}}}]
current-context: bench
"""


@contextlib.asynccontextmanager
async def plain_api(url: str) -> AsyncIterator[Api]:
    """A client for a server that asks for no credentials."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG.format(url=url))
        async with await connect(KubeSettings(kubeconfig=kubeconfig)) as api:
            yield api
