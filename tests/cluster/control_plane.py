"""A real Kubernetes control plane with Kueue on this machine, without containers: processes and one folder.
Never keeps anything after `stop`, nor when the session that started it is killed."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lean
import psutil
import yaml
from binaries import Binaries
from certificates import Authority, Pair, service_account_keys
from containers import free_port
from leash import Leash

START_S = 300.0
KUEUE_NAMESPACE = "kueue-system"
WEBHOOK_HOST = f"kueue-webhook-service.{KUEUE_NAMESPACE}.svc"
LEFT_OUT = ("Deployment", "Service", "APIService")
KUBELET = Path(__file__).parent / "kubelet.py"
HOLLOW = Path(__file__).parent / "hollow.py"
ETCD_BYTES = 8 * 2**30
AT_ONCE = {
    "Job.batch": 5,
    "Workload.kueue.x-k8s.io": 10,
    "LocalQueue.kueue.x-k8s.io": 5,
    "ClusterQueue.kueue.x-k8s.io": 5,
}
"""How many objects of a kind Kueue looks at at the same time, in the configuration that it is shipped with."""
UNHURRIED = ("--kube-api-qps=300", "--kube-api-burst=500")
FRAMEWORKS = ("batch/job", "ray.io/rayjob")


class ControlPlane:
    """etcd, API server, controller manager, scheduler, Kueue and a node, as processes of this one.

    KubeRay's resources are defined; its operator is started by who needs it. A `lean` one does what Jobs need, and
    spends memory to save processor time."""

    def __init__(self, binaries: Binaries, folder: Path, *, lean: bool = False) -> None:
        self.folder = folder
        self.binaries = binaries
        self._lean = lean
        self._leash = Leash()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, tuple[list[str], dict[str, str]]] = {}
        self._ports = {name: free_port() for name in ("api", "etcd", "peer", "webhook")}
        self._authority = Authority(folder, "kubernetes")
        self._accounts = service_account_keys(folder)
        self.url = f"https://127.0.0.1:{self._ports['api']}"
        self.admin = self.kubeconfig("admin", self._authority.sign("admin", "admin", "system:masters"))

    def start(self, node: Path = KUBELET) -> None:
        self.start_api()
        self._start_controllers()
        self._start_kueue()
        self.start_node(program=node)

    def stop(self) -> None:
        for name in reversed(list(self._processes)):
            self.stop_process(name)
        self._leash.end()

    def kubectl(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        """What kubectl prints, as the cluster's administrator. Raises AssertionError with its words."""
        command = [str(self.binaries["kubectl"]), f"--kubeconfig={self.admin}", *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=yaml.safe_dump_all(objects))

    def read(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", "-o", "json", *arguments))

    def kubeconfig(self, name: str, pair: Pair | None = None, token: str = "") -> Path:
        """A kubeconfig for a certificate or a token."""
        user: dict[str, str] = {"token": token}
        if pair is not None:
            user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        path = self.folder / f"{name}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self._authority.pair.certificate)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": user}],
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def account(self, namespace: str, name: str) -> Path:
        """A kubeconfig for a service account."""
        token = self.kubectl("create", "token", name, "-n", namespace, "--duration=2h").strip()
        return self.kubeconfig(f"{namespace}-{name}", token=token)

    # Processes.

    def stop_process(self, name: str) -> None:
        process = self._processes.pop(name)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def kill_process(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait(10)

    def restart_process(self, name: str) -> None:
        """Start again what was stopped or killed, with the same command."""
        command, environment = self._commands[name]
        self._start(name, command, environment)

    def cpu_s(self) -> dict[str, float]:
        """The processor seconds that each process has taken so far, by name."""
        times = {name: psutil.Process(process.pid).cpu_times() for name, process in self._processes.items()}
        return {name: time.user + time.system for name, time in times.items()}

    def rss_mib(self) -> dict[str, float]:
        """The memory that each process holds now, by name."""
        held = {name: psutil.Process(process.pid).memory_info().rss for name, process in self._processes.items()}
        return {name: bytes_ / 2**20 for name, bytes_ in held.items()}

    def log(self, name: str, characters: int = 3000) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-characters:]

    def _start(self, name: str, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        self._commands[name] = (list(command), environment or {})
        environment = {**os.environ, **(environment or {}), **self._leash.environment}
        if self._lean and name in lean.OPTIONS:
            command, environment = [*command, *lean.OPTIONS[name]], {**environment, **lean.ENVIRONMENT}
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                list(command), stdout=log, stderr=log, cwd=self.folder, env=environment
            )

    def _wait(self, name: str, command: Sequence[str]) -> None:
        """Until a kubectl command succeeds; `name` is the process that it depends on."""
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up:
            assert self._processes[name].poll() is None, f"{name} ended: {self.log(name)}"
            base = [str(self.binaries["kubectl"]), f"--kubeconfig={self.admin}", "--request-timeout=5s"]
            done = subprocess.run([*base, *command], capture_output=True, timeout=30, check=False)
            if done.returncode == 0:
                return
            time.sleep(0.2)
        raise AssertionError(f"{name} is not ready: {done.stderr.decode()} {self.log(name)}")

    def start_api(self) -> None:
        """etcd and the API server alone: a cluster on which nothing happens."""
        client, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd", "peer"))
        self._start(
            "etcd",
            [
                str(self.binaries["etcd"]),
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",
                f"--quota-backend-bytes={ETCD_BYTES}",
                "--log-level=error",
            ],
        )
        server = self._authority.sign("apiserver", "kube-apiserver", hosts=("localhost", "kubernetes.default.svc"))
        kubelet_client = self._authority.sign("kubelet-client", "kube-apiserver-kubelet-client", "system:masters")
        self._start(
            "apiserver",
            [
                str(self.binaries["kube-apiserver"]),
                f"--etcd-servers={client}",
                "--bind-address=127.0.0.1",
                f"--secure-port={self._ports['api']}",
                "--endpoint-reconciler-type=none",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--service-cluster-ip-range=10.0.0.0/24",
                f"--client-ca-file={self._authority.pair.certificate}",
                f"--requestheader-client-ca-file={self._authority.pair.certificate}",
                "--requestheader-allowed-names=front-proxy",
                "--requestheader-username-headers=X-Remote-User",
                "--requestheader-group-headers=X-Remote-Group",
                f"--tls-cert-file={server.certificate}",
                f"--tls-private-key-file={server.key}",
                f"--kubelet-certificate-authority={self._authority.pair.certificate}",
                f"--kubelet-client-certificate={kubelet_client.certificate}",
                f"--kubelet-client-key={kubelet_client.key}",
                "--kubelet-preferred-address-types=InternalIP",
                f"--service-account-key-file={self._accounts.certificate}",
                f"--service-account-signing-key-file={self._accounts.key}",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--default-not-ready-toleration-seconds=1",
                "--default-unreachable-toleration-seconds=1",
                "--profiling=false",
            ],
        )
        self._wait("apiserver", ["get", "--raw=/readyz"])

    def _start_controllers(self) -> None:
        manager = self.kubeconfig("manager", self._authority.sign("manager", "system:kube-controller-manager"))
        scheduler = self.kubeconfig("scheduler", self._authority.sign("scheduler", "system:kube-scheduler"))
        self._start(
            "controller-manager",
            [
                str(self.binaries["kube-controller-manager"]),
                f"--kubeconfig={manager}",
                f"--root-ca-file={self._authority.pair.certificate}",
                f"--service-account-private-key-file={self._accounts.key}",
                "--use-service-account-credentials",
                "--node-monitor-grace-period=24s",
                "--node-monitor-period=1s",
                *UNHURRIED,
                "--leader-elect=false",
                "--secure-port=0",
            ],
        )
        self._start(
            "scheduler",
            [
                str(self.binaries["kube-scheduler"]),
                f"--kubeconfig={scheduler}",
                *UNHURRIED,
                "--leader-elect=false",
                "--secure-port=0",
            ],
        )

    def start_kuberay(self) -> None:
        """KubeRay's operator. It speaks to Ray through the API server, as nobody here resolves names of services."""
        options = ["--use-kubernetes-proxy", "--enable-leader-election=false"]
        command = [str(self.binaries["kuberay"]), *options, "--metrics-addr=0", "--health-probe-bind-address=0"]
        self._start("kuberay", command, {"KUBECONFIG": str(self.admin)})

    def _define_ray_jobs(self) -> None:
        for kind in ("rayjobs", "rayclusters", "rayservices"):
            definition = self.binaries["kuberay-crds"] / f"ray.io_{kind}.yaml"
            self.kubectl("apply", "--server-side", "-f", str(definition))
            self._wait("apiserver", ["wait", "--for=condition=Established", f"crd/{kind}.ray.io", "--timeout=5s"])

    def _start_kueue(self) -> None:
        self._define_ray_jobs()
        manifests, certificates = self._kueue_manifests(), self._kueue_certificates()
        self.kubectl("apply", "--server-side", "-f", "-", text=yaml.safe_dump_all([*manifests, certificates]))
        configuration = {
            "apiVersion": "config.kueue.x-k8s.io/v1beta2",
            "kind": "Configuration",
            "namespace": KUEUE_NAMESPACE,
            "health": {"healthProbeBindAddress": "0"},
            "metrics": {"bindAddress": "0"},
            "webhook": {"host": "127.0.0.1", "port": self._ports["webhook"], "certDir": str(self.folder / "webhook")},
            "leaderElection": {"leaderElect": False},
            "internalCertManagement": {"enable": True},
            "integrations": {"frameworks": list(FRAMEWORKS)},
            "featureGates": {"VisibilityOnDemand": False, **(lean.FEATURES if self._lean else {})},
            "controller": {"groupKindConcurrency": AT_ONCE},
            "clientConnection": {"qps": 300, "burst": 500},
        }
        file = self.folder / "kueue.yaml"
        file.write_text(yaml.safe_dump(configuration))
        command = [str(self.binaries["kueue"]), f"--config={file}", "--zap-log-level=info"]
        self._start("kueue", command, {"KUBECONFIG": str(self.admin), "POD_NAMESPACE": KUEUE_NAMESPACE})
        flavor = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": "probe"}}
        file = self.folder / "probe.yaml"
        file.write_text(yaml.safe_dump(flavor))
        self._wait("kueue", ["apply", "-f", str(file)])
        self.kubectl("delete", "resourceflavor", "probe")

    def _kueue_manifests(self) -> list[dict[str, Any]]:
        """Kueue's own manifests, less what runs it in the cluster, and with its webhooks on this machine."""
        rendered = self.kubectl("kustomize", str(self.binaries.kueue_manifests / "default"))
        url = f"https://127.0.0.1:{self._ports['webhook']}"
        found = []
        for item in yaml.safe_load_all(rendered):
            if item and item["kind"] not in LEFT_OUT and item["metadata"]["name"] != "kueue-webhook-server-cert":
                for webhook in item.get("webhooks", []):
                    path = webhook["clientConfig"].pop("service").get("path", "")
                    webhook["clientConfig"]["url"] = f"{url}{path}"
                conversion = item["spec"].get("conversion", {}) if item["kind"] == "CustomResourceDefinition" else {}
                if "webhook" in conversion:
                    service = conversion["webhook"]["clientConfig"].pop("service")
                    conversion["webhook"]["clientConfig"]["url"] = f"{url}{service.get('path', '/convert')}"
                found.append(lean.spared(item, FRAMEWORKS) if self._lean else item)
        return found

    def _kueue_certificates(self) -> dict[str, Any]:
        """The Secret that Kueue keeps its webhooks' certificates in, filled so that it keeps them."""
        folder = self.folder / "webhook"
        folder.mkdir()
        authority = Authority(folder, "kueue-ca", rsa_keys=True)
        pair = authority.sign("tls", WEBHOOK_HOST, hosts=(WEBHOOK_HOST,))
        files = {
            "ca.crt": authority.pair.certificate,
            "ca.key": authority.pair.key,
            "tls.crt": pair.certificate,
            "tls.key": pair.key,
        }
        for name, path in files.items():
            (folder / name).write_bytes(path.read_bytes())
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "kueue-webhook-server-cert", "namespace": KUEUE_NAMESPACE},
            "data": {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()},
        }

    def start_node(self, name: str = "node-1", program: Path = KUBELET) -> None:
        """A node whose pods are processes of this machine, or with HOLLOW do nothing."""
        pair = self._authority.sign(name, f"system:node:{name}", "system:nodes")
        command = [sys.executable, str(program), name, self.url, str(free_port())]
        command += [str(self._authority.pair.certificate), str(pair.certificate), str(pair.key)]
        self._start(name, [*command, str(self.folder / name)])
        self._wait(name, ["wait", "--for=condition=Ready", f"node/{name}", "--timeout=5s"])

    def lose_node(self, name: str) -> None:
        """As when its machine goes: nothing on it says a last word."""
        self.kill_process(name)
        pods = [psutil.Process(int(path.read_text())) for path in (self.folder / name).glob("*.pid")]
        for process in [each for pod in pods for each in (pod, *pod.children(recursive=True))]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
