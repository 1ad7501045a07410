"""Compose, Kubernetes and systemd: what can be told with no engine, cluster or service manager."""

import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"


def tool(name: str) -> str:
    """The path of a tool, which is installed when it is missing."""
    done = subprocess.run([ROOT / "dev", "tool", name], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, name
    return done.stdout.strip()


def check(*command: str | pathlib.Path) -> str:
    """What it prints; empty where all is well."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    assert done.returncode == 0 or done.stdout, command
    return done.stdout if done.returncode else ""


def manifests() -> dict[str, dict]:
    return {file.name: yaml.safe_load(file.read_text()) for file in KUBERNETES.glob("*.yaml")}


def kubeconform(folder: pathlib.Path) -> str:
    location = tool("kubernetes-schemas") + "/{{ .ResourceKind }}{{ .KindSuffix }}.json"
    # Of kustomize's own files Kubernetes has no schema.
    flags = ["-strict", "-skip", "Kustomization", "-schema-location", location]
    return check(tool("kubeconform"), *flags, folder)


def compose() -> dict:
    return yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())


# --- Compose ------------------------------------------------------------------------------------


def test_docker_compose_reads_the_file() -> None:
    assert check(tool("docker-compose"), "-f", ROOT / "deploy/compose.yaml", "config", "-q") == ""


def test_docker_compose_sees_what_is_wrong(tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text((ROOT / "deploy/compose.yaml").read_text().replace("read_only:", "readonly:"))
    assert "readonly" in check(tool("docker-compose"), "-f", broken, "config", "-q")


@pytest.mark.parametrize("name", compose()["services"])
def test_a_service_of_compose_is_confined(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert service["healthcheck"]["test"][0] == "CMD"
    for port in service["ports"]:
        assert port.startswith("127.0.0.1:"), "nothing here has access control"


def test_compose_names_files_and_the_image_that_there_are() -> None:
    services = compose()["services"]
    version = re.search(
        r'^fallback_version = "([\d.]+)\.dev', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )[1]
    assert services["detente"]["image"] == f"${{DETENTE_IMAGE:-detente:{version}}}"
    # The image's own HEALTHCHECK, said again: not every engine reads that.
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    command = re.search(r"HEALTHCHECK.*?CMD (\[.*?\])", dockerfile, re.DOTALL)[1]
    assert services["detente"]["healthcheck"]["test"] == ["CMD", *yaml.safe_load(command)]


# --- Kubernetes ---------------------------------------------------------------------------------


def test_kubernetes_knows_every_field() -> None:
    assert kubeconform(KUBERNETES) == ""


@pytest.mark.parametrize(
    ("file", "said", "broken", "words"),
    [
        ("statefulset.yaml", "runAsNonRoot: true", "runAsNoRoot: true", "runAsNoRoot"),
        ("statefulset.yaml", "replicas: 1", "replicas: one", "replicas"),
        ("networkpolicy.yaml", "podSelector:", "podselector:", "podselector"),
    ],
)
def test_kubeconform_sees_what_is_wrong(
    tmp_path: pathlib.Path, file: str, said: str, broken: str, words: str
) -> None:
    folder = shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    text = (folder / file).read_text()
    assert said in text
    (folder / file).write_text(text.replace(said, broken, 1))
    assert words in kubeconform(folder)


def test_the_kustomization_has_every_file() -> None:
    files = manifests()
    kustomization = files.pop("kustomization.yaml")
    assert sorted(kustomization["resources"]) == sorted(files)
    namespace = files.pop("namespace.yaml")["metadata"]["name"]
    assert kustomization["namespace"] == namespace
    names = {file["metadata"]["name"] for file in files.values()}
    assert names == {"detente"}


def test_the_pod_is_what_the_namespace_admits() -> None:
    """The restricted profile of Pod Security Standards, and a read-only root."""
    labels = manifests()["namespace.yaml"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = manifests()["statefulset.yaml"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001  # the image's
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]) == {"requests", "limits"}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["grpc"]["port"] == 7400


def test_what_belongs_together_is_found_by_its_label() -> None:
    files = manifests()
    own = {"app.kubernetes.io/name": "detente"}
    stateful = files["statefulset.yaml"]["spec"]
    assert stateful["replicas"] == 1  # a store has one writer
    assert stateful["template"]["metadata"]["labels"] == own
    assert stateful["selector"]["matchLabels"] == own
    assert files["service.yaml"]["spec"]["selector"] == own
    assert files["poddisruptionbudget.yaml"]["spec"]["selector"]["matchLabels"] == own
    policy = files["networkpolicy.yaml"]["spec"]
    assert policy["podSelector"]["matchLabels"] == own
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert "egress" not in policy
    (container,) = stateful["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    claims = [claim["metadata"]["name"] for claim in stateful["volumeClaimTemplates"]]
    assert mounts == dict.fromkeys(claims, "/var/lib/detente")


# --- systemd ------------------------------------------------------------------------------------

UNIT = ROOT / "deploy/detente-server.service"


def verify(text: str, folder: pathlib.Path) -> str:
    unit = folder / UNIT.name
    unit.write_text(text.replace("/usr/bin/detente-server", "/bin/true"))
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", unit],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.stdout


def test_systemd_reads_the_unit(tmp_path: pathlib.Path) -> None:
    assert verify(UNIT.read_text(), tmp_path) == ""
    assert "ProtectSytem" in verify(
        UNIT.read_text().replace("ProtectSystem", "ProtectSytem"), tmp_path
    )


def test_the_unit_is_confined() -> None:
    """systemd's own measure: 10 is an ordinary service, 0 one that can do nothing."""
    command = [tool("systemd-analyze"), "security", "--offline=true", "--threshold=15", UNIT]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
