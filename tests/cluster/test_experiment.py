"""An experiment from event to report whose jobs are pods: real services, Kafka, PostgreSQL and training."""

import json
from pathlib import Path

import pytest
import yaml
from assay.cli import app
from assay_chassis.compute.kubernetes.settings import KubernetesSettings
from assay_local.service import SERVICES
from teams import load_system_tests
from typer.testing import CliRunner

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600)]


def test_an_experiment_succeeds_with_its_jobs_on_the_cluster(
    cluster: KubernetesSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "ASSAY_BACKEND": "kubernetes",
        "ASSAY_KUBERNETES_KUBECONFIG": str(cluster.kubeconfig),
        "ASSAY_KUBERNETES_NAMESPACE": cluster.namespace,
        "ASSAY_KUBERNETES_IMAGE": cluster.image,
        "OMP_NUM_THREADS": "1",
    }
    with load_system_tests().running(tmp_path / "system", SERVICES, environment) as whole:
        monkeypatch.setenv("ASSAY_HOME", str(whole.state))
        file = tmp_path / "experiment.yaml"
        file.write_text(yaml.safe_dump(whole.document()), encoding="utf-8")
        answer = CliRunner().invoke(app, ["submit", str(file), "--wait", "--timeout", "400", "--json"])
        assert answer.exit_code == 0, answer.stdout
        assert json.loads(answer.stdout)["outcome"] == "succeeded"
        runs = {path.parent.parent.name for path in (whole.state / "services").rglob("log")}
    assert runs == set(), "no job ran as a process of the service"
