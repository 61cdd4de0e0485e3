"""Does an API server take what `deployments/kubernetes` applies, whole and under the strictest of Kubernetes' own rules for pods?"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect_kubernetes.worker import (  # type: ignore[import-untyped]
    KubernetesWorker,
    KubernetesWorkerJobConfiguration,
)
from ruamel.yaml import YAML

from serinus.kube.names import SERINUS
from tests.cluster.access import Access
from tests.workloads.test_rights import MANIFESTS, granted

FOLDERS = ("contour", "gateway-api", "replicas", "guard")
TEMPLATE = MANIFESTS / "worker" / "base-job-template.json"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
DRY = ("--dry-run=server", "--validate=strict", "-o=json")


def job_of(**values: Any) -> dict[str, Any]:
    """The Job that Prefect's worker makes of the template for a run with these job variables."""
    template, unasked = json.loads(TEMPLATE.read_text()), PrefectClient("http://127.0.0.1:9/api")
    making = KubernetesWorkerJobConfiguration.from_template_and_values(template, values, client=unasked)
    configuration = asyncio.run(making)
    configuration.prepare_for_flow_run(FlowRun(id=UUID(int=7), flow_id=UUID(int=8), name="shop v1.1"))
    return dict(configuration.job_manifest)


def environment(job: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container(job)["env"]}


def container(job: dict[str, Any]) -> dict[str, Any]:
    [found] = job["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_a_release_is_a_job_with_the_account_that_may_release() -> None:
    job = job_of(namespace="shops", env={"WEBHOOK": "https://example.org/x"})
    pod = job["spec"]["template"]["spec"]
    assert (job["metadata"]["namespace"], pod["serviceAccountName"]) == ("shops", "serinus")
    assert (job["spec"]["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
    # Else a pod that is told to end has failed at once, and Prefect's worker calls a run crashed that still returns its traffic.
    assert job["spec"]["podReplacementPolicy"] == "Failed"
    assert pod["terminationGracePeriodSeconds"] >= 60
    assert container(job)["args"] == ["python", "-m", "prefect.engine"]
    told = environment(job)
    assert told["WEBHOOK"] == "https://example.org/x"
    assert told["PREFECT__FLOW_RUN_ID"] == str(UUID(int=7))
    assert told["SERINUS_STATE"].startswith("/scratch")
    assert "cpu" not in container(job)["resources"]["limits"]
    annotations = job["spec"]["template"]["metadata"]["annotations"]
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


def test_what_the_deployments_set_is_a_variable_of_it() -> None:
    """Prefect's worker ignores a job variable in silence that its pool's template does not have."""
    said = YAML(typ="safe").load((MANIFESTS.parents[1] / "prefect.yaml").read_text())
    variables = json.loads(TEMPLATE.read_text())["variables"]["properties"]
    for deployment in said["deployments"]:
        assert set(deployment["work_pool"]["job_variables"]) <= set(variables)


def test_every_variable_of_prefects_own_is_here_or_meant_to_be_fixed() -> None:
    own = KubernetesWorker.get_default_base_job_template()
    ours = json.loads(TEMPLATE.read_text())
    fixed = {"backoff_limit", "cluster_config", "cpu_limit"}
    assert set(own["variables"]["properties"]) - set(ours["variables"]["properties"]) == fixed
    assert set(ours["job_configuration"]) == set(own["job_configuration"]) - {"cluster_config"}


def test_kustomize_finds_all_of_it_and_writes_one_namespace() -> None:
    named = {folder.parent.name for folder in MANIFESTS.glob("*/kustomization.yaml")}
    assert named == {*FOLDERS, "base", "secrets"}


@pytest.mark.cluster
def test_the_api_server_takes_it(space: Access, tmp_path: Path) -> None:
    granted(space, tmp_path)
    space.kubectl("label", "namespace", space.namespace, RESTRICTED)
    applied = {folder: dry_run(space, tmp_path, folder) for folder in FOLDERS}
    for folder, objects in applied.items():
        assert {one["metadata"]["namespace"] for one in objects} == {space.namespace}, folder
    [guard] = [one for one in applied["guard"] if one["kind"] == "Deployment"]
    [named] = guard["spec"]["template"]["spec"]["containers"]
    assert named["image"] == "registry.example/serinus:0.1.0"
    job = job_of(namespace=space.namespace)
    for demanded in ("parallelism", "completions"):  # by Prefect, at a place where Kubernetes ignores them
        del job["spec"]["template"]["spec"][demanded]
    made = json.loads(space.kubectl("create", *DRY, "-f", "-", given=json.dumps(job)))
    assert made["metadata"]["name"].startswith("shop-v1-1-")
    for template in (guard["spec"]["template"], made["spec"]["template"]):
        admitted(space, template)


def dry_run(space: Access, folder: Path, name: str) -> list[dict[str, Any]]:
    """As `kubectl apply -k` of a copy with the namespace written into it."""
    copied = folder / "dry"
    shutil.copytree(MANIFESTS, copied, dirs_exist_ok=True)
    file = copied / name / "kustomization.yaml"
    file.write_text(file.read_text().replace("namespace: default", f"namespace: {space.namespace}"))
    done = json.loads(space.kubectl("apply", "-k", str(copied / name), *DRY))
    return list(done["items"]) if done["kind"] == "List" else [done]


def admitted(space: Access, template: dict[str, Any]) -> None:
    """The pod itself, as a controller makes it: where its account is not there or a rule is broken, it never comes."""
    metadata = {"name": SERINUS, "labels": template["metadata"]["labels"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    made = json.loads(space.kubectl("create", *DRY, "-f", "-", given=json.dumps(pod)))
    assert made["spec"]["serviceAccountName"] == SERINUS
