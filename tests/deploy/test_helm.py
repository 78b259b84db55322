"""The Helm chart: rendered, and held against the schemas of Kubernetes, where Helm is.

``go install helm.sh/helm/v3/cmd/helm@v3.22.0`` builds one; ``pip install kubernetes-validate`` brings the schemas.
"""

import re
import shutil
from pathlib import Path

import pytest

from deploy.tools import DEPLOY, ROOT, run
from tickwire.config.kafka_config import KafkaConfig

CHART = DEPLOY / "helm/tickwire"
SECRETS = "secret.files.KAFKA_SASL_PASSWORD=password"
WHOLE = ("ui.enabled=true", "secret.name=kafka", SECRETS, "producers.other.settings.FEED_EXCHANGE=kraken",
         "producers.other.storage.size=1Gi", "producers.other.storage.className=fast",
         "producers.main.group=prices")  # fmt: skip


@pytest.fixture(scope="module")
def helm() -> str:
    found = shutil.which("helm")
    if found is None:
        pytest.skip("Helm was not found; see the top of this file.")
    return found


def render(helm: str, *values: str) -> str:
    arguments = [f"--set={value}" for value in values]
    return run(helm, "template", "t", CHART, "--kube-version", "1.34.0", *arguments)


@pytest.mark.parametrize("version", ["1.27", "1.34"])
@pytest.mark.parametrize("values", [(), WHOLE, ("consumer.enabled=false",)], ids=["plain", "whole", "no consumer"])
def test_kubernetes_has_a_place_for_every_line(
    helm: str, values: tuple[str, ...], version: str, tmp_path: Path
) -> None:
    validate = shutil.which("kubernetes-validate")
    if validate is None:
        pytest.skip("kubernetes-validate was not found; see the top of this file.")
    run(helm, "lint", "--strict", CHART, *(f"--set={value}" for value in values))
    (tmp_path / "all.yaml").write_text(render(helm, *values))
    run(validate, "--strict", "--kubernetes-version", version, tmp_path / "all.yaml")


def test_every_producer_has_its_disk_and_every_pod_its_limits(helm: str) -> None:
    whole = render(helm, *WHOLE)
    assert len(re.findall(r"^  volumeClaimTemplates:$", whole, re.MULTILINE)) == whole.count("kind: StatefulSet") == 2
    assert len(re.findall(r"^kind: PodDisruptionBudget$", whole, re.MULTILINE)) == 2
    for line, times in (
        ("readOnlyRootFilesystem: true", 4), ("runAsNonRoot: true", 4), ("enableServiceLinks: false", 4),
        ("path: /health/ready", 3), ("topologyKey: kubernetes.io/hostname", 4),
    ):  # fmt: skip
        assert whole.count(line) == times, line
    assert "http://t-producer-main-0.t-producer-main:8000/metrics,http://t-producer-other:8000/metrics" in whole


def test_replicas_are_for_a_producer_whose_group_shares_the_symbols(helm: str) -> None:
    grouped = render(helm, "ui.enabled=true", "producers.main.group=prices", "producers.main.replicas=3")
    assert re.search(r"replicas: 3\n  podManagementPolicy: Parallel\n", grouped)
    assert re.search(r"- produce\n +- --group=prices\n", grouped)
    assert ",".join(f"http://t-producer-main-{n}.t-producer-main:8000/metrics" for n in range(3)) in grouped
    with pytest.raises(AssertionError, match="unless group names what they share"):
        render(helm, "producers.main.replicas=2")


def test_a_secret_is_a_file_and_no_setting(helm: str) -> None:
    whole = render(helm, *WHOLE)
    assert re.search(r"name: KAFKA_SASL_PASSWORD_FILE\s+value: /run/secrets/tickwire/password", whole)
    assert "name: KAFKA_SASL_PASSWORD\n" not in whole
    for place in ("settings", "consumer.settings", "producers.main.settings"):
        with pytest.raises(AssertionError, match="is a secret"):
            render(helm, f"{place}.KAFKA_SASL_PASSWORD=canary")


def test_the_secrets_that_it_refuses_as_settings_are_all_there_are() -> None:
    (pattern,) = re.findall(r'regexMatch "([^"]+)"', (CHART / "templates/_helpers.tpl").read_text())
    assert [name for name in KafkaConfig.secrets() if not re.search(pattern, name.upper())] == []


def test_it_has_the_version_of_the_package_and_settings_that_there_are() -> None:
    version = re.findall(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    chart = (CHART / "Chart.yaml").read_text()
    assert re.findall(r'^version: (\S+)\nappVersion: "(\S+)"', chart, re.MULTILINE) == [tuple(version * 2)]
    documented = (ROOT / "docs/settings.md").read_text()
    text = "".join(path.read_text() for path in CHART.rglob("*.*"))
    for name in set(re.findall(r"\b((?:KAFKA|FEED|TICKWIRE)_[A-Z_]+[A-Z])\b", text)):
        assert f"`{name}" in documented, name
