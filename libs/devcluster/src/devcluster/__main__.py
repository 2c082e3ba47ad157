"""The command line: ``devcluster up | down | status | scale | fault | snapshot | binaries``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from . import binaries
from .binaries.progress import say
from .cluster import DevCluster, names
from .errors import DevClusterError
from .faults import FAULTS
from .nodes import scale_nodes
from .settings import Settings
from .workloads import deploy

DEFAULT = Settings()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code. Every error is one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except DevClusterError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return 0


def up(options: argparse.Namespace) -> None:
    settings = Settings(
        name=options.name, nodes=options.nodes, metrics=options.metrics, node_grace_seconds=options.node_grace
    )
    with closing(DevCluster(settings)) as cluster:
        cluster.up(detached=True)
        if options.pods:
            deploy(cluster.api, pods=options.pods, nodes=settings.nodes)
    say(f"{settings.name} is up with {settings.nodes} nodes; end it: devcluster down {settings.name}")
    print(f"export KUBECONFIG={cluster.kubeconfig}")


def down(options: argparse.Namespace) -> None:
    for name in names() if options.all else [options.name]:
        cluster = DevCluster(Settings(name=name))
        if not cluster.home.is_dir():
            DevCluster.open(name)  # says which ones are up
        cluster.down()
        say(f"{name} is gone")


def status(_: argparse.Namespace) -> None:
    for name in names():
        try:
            with closing(DevCluster.open(name)) as cluster:
                state = cluster.status()
        except DevClusterError as error:  # it went away meanwhile
            say(str(error))
            continue
        print(f"{name}: {'ready' if state.ready else 'not ready'}, {state.nodes} nodes, {state.pods} pods")
        print(f"  {', '.join(f'{component} {pid}' for component, pid in state.processes.items())}")
        print(f"  KUBECONFIG={state.kubeconfig}")
    if not names():
        say("no cluster is up; start one: devcluster up")


def scale(options: argparse.Namespace) -> None:
    with closing(DevCluster.open(options.name)) as cluster:
        if options.nodes is not None:
            cluster.settings = replace(cluster.settings, nodes=options.nodes)
            scale_nodes(cluster.api, cluster.settings)
            cluster.remember()
        if options.pods is not None:
            deploy(cluster.api, pods=options.pods, nodes=cluster.settings.nodes)


def fault(options: argparse.Namespace) -> None:
    if options.switch == "list":
        for known in FAULTS:
            print(f"{known.name:20} {known.about}  (target: {known.target})")
        return
    if not options.fault:
        raise DevClusterError("which fault? say its name, as devcluster fault list shows it")
    with closing(DevCluster.open(options.name)) as cluster:
        injection = cluster.fault(options.fault, options.target)
        injection.on() if options.switch == "on" else injection.off()
    say(f"{options.fault} is {options.switch}")


def snapshot(options: argparse.Namespace) -> None:
    with closing(DevCluster.open(options.name)) as cluster:
        cluster.save_snapshot(options.file) if options.action == "save" else cluster.restore_snapshot(options.file)


def show_binaries(options: argparse.Namespace) -> None:
    for group in options.groups or ["control-plane"]:
        for name, path in binaries.ensure(group).items():
            print(f"{name} {path}")


def _parser() -> argparse.ArgumentParser:
    about = "A real Kubernetes control plane without containers, for demos, tests and benchmarks."
    parser = argparse.ArgumentParser(prog="devcluster", description=about)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("up", help="start a cluster; it stays until it is ended")
    _named(command, positional=True)
    command.add_argument("--nodes", type=int, default=DEFAULT.nodes, help="simulated nodes (default %(default)s)")
    command.add_argument("--pods", type=int, default=0, help="deploy a shop of about so many pods (default none)")
    command.add_argument("--metrics", action="store_true", help="run metrics-server, so that metrics.k8s.io is served")
    command.add_argument(
        "--node-grace",
        type=int,
        default=DEFAULT.node_grace_seconds,
        metavar="SECONDS",
        help="how long a silent node stays Ready (default %(default)s)",
    )
    command.set_defaults(run=up)

    command = commands.add_parser("down", help="end a cluster and remove its files")
    _named(command, positional=True)
    command.add_argument("--all", action="store_true", help="end every cluster")
    command.set_defaults(run=down)

    command = commands.add_parser("status", help="show the clusters that are up")
    command.set_defaults(run=status)

    command = commands.add_parser("scale", help="change the number of nodes, or of the shop's pods")
    _named(command)
    command.add_argument("--nodes", type=int)
    command.add_argument("--pods", type=int)
    command.set_defaults(run=scale)

    command = commands.add_parser("fault", help="switch a fault on or off, or list them")
    command.add_argument("switch", choices=("on", "off", "list"))
    command.add_argument("fault", nargs="?", help="a name from the list")
    command.add_argument("target", nargs="?", help="a node, or namespace/workload (default: what the list says)")
    _named(command)
    command.set_defaults(run=fault)

    command = commands.add_parser("snapshot", help="save what is in a cluster to a file, or restore it")
    command.add_argument("action", choices=("save", "restore"))
    command.add_argument("file", type=Path)
    _named(command)
    command.set_defaults(run=snapshot)

    command = commands.add_parser("binaries", help="find or make the programs of groups and print their paths")
    known = f"of {', '.join(binaries.GROUPS)}; control-plane if none is named"
    command.add_argument("groups", nargs="*", metavar="GROUP", help=known)
    command.set_defaults(run=show_binaries)
    return parser


def _named(command: argparse.ArgumentParser, *, positional: bool = False) -> None:
    if positional:
        command.add_argument("name", nargs="?", default=DEFAULT.name, help="the cluster's name (default %(default)s)")
    else:
        command.add_argument("--name", default=DEFAULT.name, help="the cluster's name (default %(default)s)")


if __name__ == "__main__":
    sys.exit(main())
