"""One disposable control plane: up, down, status, components stopped and started, snapshots."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType

from . import binaries, kwokctl, processes
from .api import Api, Object, collection, wait_for
from .errors import DevClusterError
from .faults import Injection, fault_named
from .nodes import scale_nodes
from .settings import Pool, Settings, clusters_folder

READY_TIMEOUT_SECONDS = 120.0
CONTROLLERS = {"kube-controller-manager", "kube-scheduler", "kwok-controller"}


@dataclass(frozen=True, slots=True)
class Status:
    """What runs: process ids by component, whether the API server is ready, and how many nodes and pods it has."""

    name: str
    kubeconfig: Path
    ready: bool
    processes: dict[str, int]
    nodes: int = 0
    pods: int = 0


class DevCluster:
    """A control plane under a name. As a context manager it is up inside the block and gone after it.

    >>> with DevCluster(Settings(name="try")) as cluster:
    ...     print(cluster.kubeconfig)
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.home = clusters_folder() / self.settings.name

    @classmethod
    def open(cls, name: str) -> DevCluster:
        """A cluster that is already up. Raises DevClusterError where there is none of that name."""
        file = clusters_folder() / name / "settings.json"
        try:
            stored = json.loads(file.read_text())
        except FileNotFoundError:
            running = ", ".join(names()) or "none"
            raise DevClusterError(
                f"no cluster {name!r} is up (up: {running}); start it: devcluster up {name}"
            ) from None
        pools = tuple(Pool(**pool) for pool in stored.pop("pools"))
        return cls(Settings(**stored | {"pools": pools, "zones": tuple(stored["zones"])}))

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of the cluster's administrator."""
        return self.home / "kubeconfig"

    @property
    def work(self) -> Path:
        """kwokctl's folder of this cluster: logs, pids, certificates, etcd's data."""
        return self.home / "kwok" / "clusters" / self.settings.name

    @cached_property
    def api(self) -> Api:
        return Api(self.kubeconfig)

    def up(self, *, owner: int | None = None, detached: bool = False) -> DevCluster:
        """Starts everything and returns when pods can be made (some 5 s; minutes when programs must be made first).

        Unless ``detached``, the cluster goes when the owner (this process, if no other is named) ends, however it
        ends. Raises DevClusterError and leaves nothing behind when it does not start.
        """
        programs = self._programs
        try:
            self.home.mkdir(parents=True)
        except FileExistsError:
            raise DevClusterError(
                f"cluster {self.settings.name!r} is up already; end it first: devcluster down {self.settings.name}"
            ) from None
        try:
            processes.guard(self.home, owner or os.getpid())
            self._create(programs)
            if detached:
                processes.detach(self.home)
        except BaseException as error:
            problem = self._last_words() if isinstance(error, DevClusterError) else ""
            self.down()
            if problem:
                raise DevClusterError(f"{error} ({problem})") from error
            raise
        return self

    @cached_property
    def _programs(self) -> dict[str, Path]:
        return binaries.ensure("control-plane")

    def _create(self, programs: dict[str, Path]) -> None:
        self.remember()
        config = self.home / "config.yaml"
        config.write_text(kwokctl.configuration(self.settings, programs, self.home))
        files = ["--config", str(config), "--kubeconfig", str(self.kubeconfig)]
        self._kwokctl("create", "cluster", *files, check=self._check_alive)
        self.wait_ready()
        if self.settings.controllers:
            scale_nodes(self.api, self.settings)

    def remember(self) -> None:
        """Stores the settings beside the cluster, for ``open``."""
        (self.home / "settings.json").write_text(json.dumps(asdict(self.settings)))

    def wait_ready(self) -> None:
        """Returns when the API server is ready and the controllers make service accounts, so that pods can be made."""
        wait_for("the API server", self.api.ready, READY_TIMEOUT_SECONDS)
        if self.settings.controllers:
            wait_for("the controller manager", self._controllers_work, READY_TIMEOUT_SECONDS)

    def _controllers_work(self) -> bool:
        """A controller that starts long before a busy API server is ready gives up; then it is started again."""
        if not self.processes().keys() >= CONTROLLERS:
            self._kwokctl("start", "cluster")
        return self.api.exists(collection("v1/serviceaccounts", "default") + "/default")

    def _kwokctl(self, *arguments: str, check: Callable[[], None] | None = None) -> None:
        kwokctl.run(self._programs["kwokctl"], self.home, *arguments, check=check)

    def _check_alive(self) -> None:
        """Raises DevClusterError where etcd or the API server has been started and does not run any more."""
        recorded = self._recorded()
        running = processes.pids(self.home)
        for component in ("etcd", "kube-apiserver"):
            if recorded.get(component, 0) not in running | {0}:
                raise DevClusterError(f"{component} ended by itself")

    def _last_words(self) -> str:
        """The end of the log of a component that is not running any more."""
        for log in sorted(self.work.glob("logs/*.log")):
            if log.stem not in self.processes():
                lines = log.read_text(errors="replace").strip().splitlines()
                return f"{log.stem}: {lines[-1][:300]}" if lines else f"{log.stem} ended without a word"
        return ""

    def down(self) -> None:
        """Ends every process and removes every file; a cluster that is not there is fine."""
        self.close()
        processes.remove(self.home)

    def close(self) -> None:
        """Ends this object's connections to the API server; the cluster goes on."""
        api = self.__dict__.pop("api", None)
        if api:
            api.close()

    def __enter__(self) -> DevCluster:
        return self.up()

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.down()

    def status(self) -> Status:
        running = self.processes()
        ready = self.kubeconfig.exists() and self.api.ready()
        kinds = ("v1/nodes", "v1/pods") if ready else ()
        counts = [_count(self.api.get(collection(kind) + "?limit=1")) for kind in kinds]
        return Status(self.settings.name, self.kubeconfig, ready, running, *counts)

    def processes(self) -> dict[str, int]:
        """The running components' process ids by name."""
        recorded = self._recorded()
        running = processes.pids(self.home)
        return {component: pid for component, pid in recorded.items() if pid in running}

    def _recorded(self) -> dict[str, int]:
        """The process ids kwokctl wrote down, of running and of ended components; 0 while it writes."""
        return {file.stem: int(file.read_text() or 0) for file in sorted(self.work.glob("pids/*.pid"))}

    def stop(self, component: str) -> None:
        """Kills one component (``kube-apiserver``, ``metrics-server``, ...), as a crash would."""
        pid = self.processes().get(component)
        if pid:
            os.kill(pid, signal.SIGKILL)
            wait_for(f"the end of {component}", lambda: pid not in processes.pids(self.home))
        (self.work / "pids" / f"{component}.pid").unlink(missing_ok=True)

    def start(self) -> None:
        """Starts the components that do not run, and returns when the API server is ready and its controllers work.

        Controllers that outlived their API server are started anew: they would look for it only now and then, up to
        half a minute apart.
        """
        if "kube-apiserver" not in self.processes():
            self._kwokctl("start", "cluster")
            self.wait_ready()
            for controller in CONTROLLERS & self.processes().keys():
                self.stop(controller)
            self._release_nodes()
        self._kwokctl("start", "cluster")
        self.wait_ready()

    def _release_nodes(self) -> None:
        """Deletes the leases of the simulated nodes: a kwok waits as long as they last for the one that held them."""
        leases = collection("coordination.k8s.io/v1/leases", "kube-node-lease")
        for node in self.api.items(f"{collection('v1/nodes')}?labelSelector={kwokctl.NODE_LABEL}%3Dalive"):
            self.api.delete(f"{leases}/{node['metadata']['name']}")

    def fault(self, name: str, target: str | None = None) -> Injection:
        """A fault by name, to be switched ``.on()`` and ``.off()``. Raises DevClusterError for an unknown name."""
        return Injection(self, fault_named(name), target)

    def save_snapshot(self, file: Path) -> None:
        """Writes etcd's content to a file."""
        partial = file.with_name(f".{file.name}.{os.getpid()}")
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._kwokctl("snapshot", "save", "--path", str(partial))
            partial.rename(file)
        finally:
            partial.unlink(missing_ok=True)

    def restore_snapshot(self, file: Path) -> None:
        """Replaces the cluster's content by a snapshot's; returns when the API server serves it."""
        if not file.is_file():
            raise DevClusterError(f"there is no snapshot {file}; save one: devcluster snapshot save {file}")
        self._kwokctl("snapshot", "restore", "--path", str(file.resolve()))
        self.wait_ready()


def names() -> list[str]:
    """The clusters that are up, by name."""
    return sorted(file.parent.name for file in clusters_folder().glob("*/settings.json"))


def _count(page: Object) -> int:
    """How many objects a list of limit 1 says there are."""
    return len(page.get("items") or []) + int(page["metadata"].get("remainingItemCount") or 0)
