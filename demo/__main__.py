"""`make demo`: a real control plane with simulated kubelets, health_monitor watching it, and a story of faults."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from demo.alerting import APPROVERS, ChatTail, Desk, alerting, by_prometheus, chatting
from demo.healing import LedgerTail, healing, sweep
from demo.monitoring import HURRY, SCRAPER, monitoring, programs
from demo.screen import Screen
from demo.service import Service, ServiceFailed, running
from demo.story import CHAPTERS, DARK_NODE, PRESSED_NODE, REMAINS, Chapter
from demo.wishes import ask_for_drain, keep_new_pods_off, leave_claim_behind
from devcluster import DevCluster, DevClusterError, Settings
from devcluster.processes import HOME_VARIABLE
from devcluster.workloads import deploy

NODES, PODS = 20, 300
POLICY = Path(__file__).parent / "policy.yaml"
HEALED_SCORE, HEAL_SECONDS = 98.0, 60.0
ANSWER_SECONDS = 60.0
REST_SECONDS = 2.0  # after the first word about a fault, for the rest of it


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs on the cluster, and the chat that it tells people in."""

    monitor: Service
    healer: Service
    alerts: Service
    desk: Desk


class Told:
    """Remembers the codes of the opened findings, so that the story can wait for them."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._codes: set[str] = set()
        self._news = asyncio.Event()

    async def listen(self, service: Service) -> None:
        async for event in service.events():
            self._screen.event(event)
            if event["data"]["change"] == "opened":
                self._codes.add(event["data"]["finding"]["code"])
                self._news.set()

    async def wait_for(self, chapter: Chapter) -> bool:
        """False when nothing of the kind was told in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(chapter.wait_seconds):
                while not self._codes & chapter.codes:
                    self._news.clear()
                    await self._news.wait()
        return self.has(chapter)

    def has(self, chapter: Chapter) -> bool:
        return bool(self._codes & chapter.codes)


async def main(screen: Screen) -> int:
    await asyncio.to_thread(programs)
    screen.step("a real etcd, API server, scheduler and controllers on this machine; Ctrl-C ends it")
    async with _cluster() as (cluster, starting):
        # The guardian of the cluster ends what carries its folder in the environment, should this process be killed.
        environment = {
            "KUBECONFIG": str(cluster.kubeconfig),
            HOME_VARIABLE: str(cluster.home),
            "HEALTH_MONITOR_POLICY__FILE": str(POLICY),
            "HEALTH_MONITOR_CLUSTER__NAME": "demo",
            "AUTO_HEALING_CLUSTER__NAME": "demo",
        }
        async with running(environment, tokens=SCRAPER) as service:  # it starts while its cluster does
            await asyncio.shield(starting)
            screen.step(f"control plane is ready: {NODES} nodes in 3 zones")
            await _first_score(screen, cluster, service)
            await keep_new_pods_off(cluster, DARK_NODE.target)
            return await _serve(screen, cluster, service, environment)


async def _serve(screen: Screen, cluster: DevCluster, monitor: Service, environment: dict[str, str]) -> int:
    """The other two services, Prometheus and Alertmanager, and the story."""
    async with (
        chatting() as desk,
        healing(monitor, {**environment, **desk.for_healing()}, tokens={**APPROVERS, **SCRAPER}) as healer,
        monitoring(
            cluster, {"health-monitor": monitor.url, "auto-healing": healer.url, "alert-service": desk.url}
        ) as seen,
        alerting(desk, monitor, healer, {**environment, **seen.for_alerting()}) as alerts,
    ):
        screen.step(f"auto_healing decides and acts: {healer.url}/api/v1/runs, with the token {healer.token}")
        screen.step(f"alert_service tells people: {alerts.url}/api/v1/incidents, with the token {alerts.token}")
        screen.step(f"Prometheus, {HURRY} times as fast as its shipped rules say: {seen.prometheus.url}/alerts")
        screen.step(f"what people read, as Slack and Teams would show it: {desk.chat.url}")
        return await _watch(screen, cluster, Parts(monitor, healer, alerts, desk))


@contextlib.asynccontextmanager
async def _cluster() -> AsyncIterator[tuple[DevCluster, asyncio.Task[DevCluster]]]:
    """A cluster that has its kubeconfig, and what is done when it is ready."""
    cluster = DevCluster(Settings(name=f"demo-{os.getpid()}", nodes=NODES, metrics=True))
    starting = asyncio.create_task(asyncio.to_thread(cluster.up))
    try:
        while not cluster.kubeconfig.exists() and not starting.done():
            await asyncio.sleep(0.05)
        yield cluster, starting
    finally:
        with contextlib.suppress(DevClusterError, asyncio.CancelledError):
            await starting  # an interrupted start must end before it can be taken down
        await asyncio.to_thread(cluster.down)


async def _first_score(screen: Screen, cluster: DevCluster, service: Service) -> None:
    first = await service.until("/api/v1/cluster", lambda body: "score" in body)
    screen.score(first, f"{first['objects']['nodes']} nodes: the first score")
    screen.step(f"ask it yourself: curl -H 'Authorization: Bearer {service.token}' {service.url}/api/v1/cluster")
    screen.step(f"deploying a shop of {PODS} pods")
    await asyncio.to_thread(deploy, cluster.api, pods=PODS, nodes=NODES)
    steady = await service.until("/api/v1/cluster", lambda body: body["objects"]["pods"] >= PODS * 0.95)
    screen.score(steady, f"{steady['objects']['nodes']} nodes, {steady['objects']['pods']} pods")


async def _watch(screen: Screen, cluster: DevCluster, parts: Parts) -> int:
    service, healer = parts.monitor, parts.healer
    told, ledger, chat = Told(screen), LedgerTail(screen, healer), ChatTail(screen, parts.desk.chat)
    following = [asyncio.create_task(each) for each in (told.listen(service), ledger.follow(), chat.follow())]
    try:
        await leave_claim_behind(cluster)
        await ask_for_drain(screen, cluster, healer)
        missed = await _story(screen, cluster, told)
        await asyncio.gather(*(sweep(healer, ledger, rule) for rule in REMAINS))
        missed += await _answers(screen, ledger)
        await _second_way(screen, parts.alerts)
        await _heal(screen, cluster, service)
        if not chat.acted:
            missed.append("a card that somebody could acknowledge, and one that asks for approval")
        if missed:
            screen.step(f"NOT told in time: {', '.join(missed)}")
            return 1
        if sys.stdin.isatty():
            screen.step("the cluster and the service stay up until Ctrl-C")
            await asyncio.gather(*following)
    finally:
        for task in following:
            task.cancel()
    return 0


async def _story(screen: Screen, cluster: DevCluster, told: Told) -> list[str]:
    """Runs the chapters; the faults of which nothing was told."""
    await _inject(screen, cluster, DARK_NODE)
    missed = []
    for chapter in CHAPTERS:
        await _inject(screen, cluster, chapter)
        if not await told.wait_for(chapter):
            missed.append(chapter.fault)
        await asyncio.sleep(REST_SECONDS)
    if not told.has(DARK_NODE):
        screen.chapter("The dark node is still to come")
    if not await told.wait_for(DARK_NODE):
        missed.append(DARK_NODE.fault)
    return missed


async def _answers(screen: Screen, ledger: LedgerTail) -> list[str]:
    """Waits for what healing has to say of each fault; those of which it said nothing of the kind."""
    screen.chapter("What healing makes of it: tried, proved, or refused with a reason")
    expected = {chapter.fault: chapter for chapter in (*CHAPTERS, DARK_NODE) if chapter.answers}
    missed = [
        f"healing of {fault}"
        for fault, chapter in expected.items()
        if not await ledger.has_any(chapter.answers, chapter.answer_seconds)
    ]
    for word, answer in (("the drain", ("declined", "drain")), ("the claim", ("step-ended", "clean-volume-claims"))):
        if not await ledger.has_any({answer}, ANSWER_SECONDS):
            missed.append(f"what became of {word}")
    return missed


async def _second_way(screen: Screen, alerts: Service) -> None:
    screen.chapter("What health_monitor told within seconds, Prometheus and Alertmanager tell later: it is told once")
    screen.step(await by_prometheus(alerts, PRESSED_NODE))


async def _inject(screen: Screen, cluster: DevCluster, chapter: Chapter) -> None:
    screen.chapter(chapter.title)
    await asyncio.to_thread(cluster.fault(chapter.fault, chapter.target).on)


async def _heal(screen: Screen, cluster: DevCluster, service: Service) -> None:
    screen.chapter("Everything is put right again")
    for chapter in (*CHAPTERS, DARK_NODE):
        await asyncio.to_thread(cluster.fault(chapter.fault, chapter.target).off)
    try:
        after = await service.until(
            "/api/v1/cluster", lambda body: bool(body["score"]["value"] >= HEALED_SCORE), HEAL_SECONDS
        )
        screen.score(after, "healed")
    except ServiceFailed:
        after = await service.get("/api/v1/cluster")
        screen.score(after, "some of it needs longer than this demo")


def run(job: Callable[[Screen], Awaitable[int]]) -> int:
    """Runs it until it ends or Ctrl-C or SIGTERM comes; then what it holds is released in order."""

    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="save what was shown as an SVG")
    picture: Path | None = parser.parse_args().picture

    async def until_signal() -> int:
        screen = Screen()
        task = asyncio.ensure_future(job(screen))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            code = await task
            if picture is not None:
                screen.save_picture(picture)
            return code
        except asyncio.CancelledError:
            screen.step("ended; nothing is left running")
            return 130
        except (DevClusterError, ServiceFailed) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1

    return asyncio.run(until_signal())


if __name__ == "__main__":
    sys.exit(run(main))
