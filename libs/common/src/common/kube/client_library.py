"""The parts of kubernetes_asyncio that are used: configuration, authentication and transport.

Importing the package imports its models of every API object, which takes a second and 65 MB, and nothing here reads
them. So its two outer packages are stood in for while the parts are imported; whoever imports the whole later gets it.
"""

import logging
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

OUTER = "kubernetes_asyncio"
CLIENT = "kubernetes_asyncio.client"


class ClientLibrary(NamedTuple):
    Configuration: Any
    RESTClientObject: Any
    ConfigException: type[Exception]
    KubeConfigLoader: Any
    KubeConfigMerger: Any
    load_incluster_config: Any


def load() -> ClientLibrary:
    logging.getLogger(f"{OUTER}.config").setLevel(logging.CRITICAL)  # it logs what it raises
    if OUTER in sys.modules:
        return _parts()
    spec = find_spec(OUTER)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{OUTER} is not installed")
    folder = spec.submodule_search_locations[0]
    client = ModuleType(CLIENT)
    outer = ModuleType(OUTER)
    outer.__path__, client.__path__ = [folder], [f"{folder}/client"]
    sys.modules |= {OUTER: outer, CLIENT: client}
    try:
        from kubernetes_asyncio.client.configuration import Configuration

        client.Configuration, client.ApiClient = Configuration, object  # type: ignore[attr-defined]
        return _parts()
    finally:
        del sys.modules[OUTER], sys.modules[CLIENT]


def _parts() -> ClientLibrary:
    from kubernetes_asyncio.client.configuration import Configuration
    from kubernetes_asyncio.client.rest import RESTClientObject
    from kubernetes_asyncio.config.config_exception import ConfigException
    from kubernetes_asyncio.config.incluster_config import load_incluster_config
    from kubernetes_asyncio.config.kube_config import KubeConfigLoader, KubeConfigMerger

    return ClientLibrary(
        Configuration, RESTClientObject, ConfigException, KubeConfigLoader, KubeConfigMerger, load_incluster_config
    )
