"""The policy file breaks while the service runs: the last good one stays in force, and everybody is told."""

from pathlib import Path

import pytest
from tests.support.service import Service, running

from devcluster import DevCluster

pytestmark = pytest.mark.cluster

CODE = "pod-restarts"


def policy_with(severity: str) -> str:
    return f"version: 1\nchecks:\n  {CODE}: {{severity: {severity}}}\n"


async def in_force(service: Service, severity: str) -> None:
    def is_so(page: dict[str, list[dict[str, str]]]) -> bool:
        return any(check["code"] == CODE and check["severity"] == severity for check in page["items"])

    await service.until("checks", is_so)


# What is written, and how it is named; None removes the file.
BROKEN = (
    (policy_with("loud"), f"checks.{CODE}.severity"),
    ("version: 1\nchecks: {no-such-check: {enabled: false}}\n", "no-such-check"),
    ("version: 1\nchecks: [\n", "line"),
    (None, "No such file"),
)


async def test_a_file_that_breaks_changes_nothing_and_is_told_until_it_is_repaired(
    devcluster_shared: DevCluster, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(policy_with("critical"))
    settings = {"POLICY__FILE": policy, "POLICY__POLL_SECONDS": 0.2}
    async with running(devcluster_shared.kubeconfig, **settings) as service:
        await service.ready()
        await in_force(service, "critical")
        assert await service.metric("policy_valid") == 1

        for number, (content, named) in enumerate(BROKEN, start=1):
            write(policy, content)
            await service.becomes("policy", "degraded", named)
            assert await service.metric("policy_valid") == 0
            await service.reaches(
                'policy_reloads_total{outcome="rejected"}', lambda count, number=number: count == number
            )
            assert named in service.log
            assert named in str((await service.get("policy"))["mistakes"])
            assert (await service.answer("/readyz")).status_code == 200
            await in_force(service, "critical")

        write(policy, policy_with("info"))
        await service.becomes("policy", "ready")
        await in_force(service, "info")
        assert await service.metric("policy_valid") == 1


def write(policy: Path, content: str | None) -> None:
    """At once, so that no half of it is read."""
    if content is None:
        policy.unlink()
    else:
        fresh = policy.with_suffix(".new")
        fresh.write_text(content)
        fresh.rename(policy)
