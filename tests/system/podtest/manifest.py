"""manifest - pods as a file of Kubernetes objects describes them: what StatefulSet, kubelet and Services would do.

Environment, ports, probes, volumes, user and rights are taken from the objects.  A pod runs in mount, PID and network
namespaces of its own, on a root file system that is read-only when the objects say so.
"""
import os
import shutil
import subprocess

import yaml

from . import http, kube
from .check import eq, until
from .cluster import Cluster, Member
from .proc import psql

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/"
# Kind: where it is created.  PodDisruptionBudget is of policy/v1, which the server here is too old for.
PLACES = {"ServiceAccount": "/api/v1/namespaces/default/serviceaccounts", "Role": RBAC + "roles",
          "RoleBinding": RBAC + "rolebindings", "ConfigMap": "/api/v1/namespaces/default/configmaps",
          "Service": "/api/v1/namespaces/default/services", "StatefulSet": "/apis/apps/v1/namespaces/default/statefulsets",
          "PodDisruptionBudget": "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets"}


def load(path):
    with open(path) as f:
        return [d for d in yaml.safe_load_all(f) if d]


class Objects:
    def __init__(self, path):
        self.all = load(path)

    def of(self, kind, name=None):
        found = [d for d in self.all if d["kind"] == kind and name in (None, d["metadata"]["name"])]
        return found[0] if name or len(found) == 1 else found

    @property
    def template(self):
        return self.of("StatefulSet")["spec"]["template"]

    def rights(self):
        return [f"{verb} {resource}" for rule in self.of("Role")["rules"] for resource in rule["resources"] for verb in rule["verbs"]]


class ManifestMember(Member):
    def __init__(self, test, cluster, number):
        super().__init__(test, cluster, number)
        self.volumes = cluster.volumes(self)
        self.pgdata = self.volumes["data"] + "/data"
        self.run_dir = self.volumes["run"]

    @property
    def container(self):
        return self.cluster.objects.template["spec"]["containers"][0]

    def environment(self):
        fields = {"metadata.name": self.name, "metadata.namespace": "default", "metadata.uid": self.uid, "status.podIP": self.address}
        host, port = self.cluster.api.url.split("//")[1].split(":")
        env = {"PATH": "/srv/bin:" + os.environ["PATH"], "LANG": "C.UTF-8", "PGDATA": "/var/lib/postgresql/data",
               "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        if self.test.given_bindir:
            env["PODGRES_BINDIR"] = self.test.given_bindir
        for one in self.container.get("env", []):
            env[one["name"]] = one["value"] if "value" in one else fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
        return env

    def mounts(self):
        """What a container runtime does; /tmp last, because the test's own files lie below it."""
        lines = ["set -e", "mount -t tmpfs tmpfs /srv", "mkdir -p /srv/bin /srv/etc /srv/work",
                 f"cp {os.path.dirname(self.test.binary)}/podgres {os.path.dirname(self.test.binary)}/podgres-wal /srv/bin/",
                 "mount -t overlay -o lowerdir=/etc,upperdir=/srv/etc,workdir=/srv/work overlay /etc",
                 "mount -t tmpfs tmpfs /run", f"mkdir -p {ACCOUNT}"]
        user = self.cluster.objects.template["spec"]["securityContext"]
        lines.append(f"sed -i 's/^postgres:x:[0-9]*:[0-9]*/postgres:x:{user['runAsUser']}:{user['runAsGroup']}/' /etc/passwd")
        lines.append(f"mount --bind {self.cluster.account} {ACCOUNT}")
        for m in sorted(self.container["volumeMounts"], key=lambda m: (m["mountPath"] == "/tmp", m["mountPath"])):
            at = m["mountPath"]
            lines.append(f"mkdir -p {at} && mount --bind {self.volumes[m['name']]} {at}")
            if m.get("readOnly"):
                lines.append(f"mount -o remount,bind,ro {at}")
        if self.container["securityContext"]["readOnlyRootFilesystem"]:
            lines += [f"mount -o remount,bind,ro {at}" for at in ("/srv", "/etc", "/run", "/")]
        caps = "--bounding-set=-all --inh-caps=-all --no-new-privs" if self.container["securityContext"]["capabilities"] else ""
        lines.append(f"exec setpriv --reuid {user['runAsUser']} --regid {user['runAsGroup']} --groups {user['fsGroup']} {caps} "
                     "podgres run " + " ".join(self.container.get("args", [])))
        return "\n".join(lines) + "\n"

    def command(self):
        return ["nsenter", f"--net=/run/netns/{self.netns}", "sh", self.test.file(f"{self.name}.sh", self.mounts())]

    def run(self, *command, seconds=60):
        """Like kubectl exec; returns what it wrote."""
        out = subprocess.run(["nsenter", "-t", str(self.init.pid), "--pid", "--mount", "--net", "--root", *command], capture_output=True,
                             text=True, timeout=seconds, env=self.environment(), cwd="/", check=False)
        eq(out.returncode, 0, f"{' '.join(command)}: {out.stdout}{out.stderr}")
        return out.stdout

    def port_of(self, name):
        return next(p["containerPort"] for p in self.container["ports"] if p["name"] == name)

    def probe(self, which):
        get = self.container[which]["httpGet"]
        try:
            return http.request((self.address, self.port_of(get["port"])), "GET", get["path"],
                                timeout=self.container[which]["timeoutSeconds"]).status
        except OSError:
            return 0


class ManifestCluster(Cluster):
    """secrets: {name: {key: value}}, what the reader of the objects is told to create."""

    def __init__(self, test, path, secrets, real=None):
        self.objects, self.secrets = Objects(path), secrets
        super().__init__(test, self.objects.of("StatefulSet")["metadata"]["name"], real=real)
        if self.api.real:
            self.apply()
        self.account = test.folder("account", owner=False, mode=0o755)
        shutil.copy(self.api.ca_file, self.account + "/ca.crt")
        os.chmod(self.account + "/ca.crt", 0o644)
        test.file("account/namespace", "default")
        test.file("account/token", self.token())

    def spec(self):
        return self.objects.of("StatefulSet")["spec"]

    def apply(self):
        """Creates the objects; whatever the server did not take, beside what it is too old for, fails."""
        for obj in self.objects.all:
            sent = {**obj, "apiVersion": "policy/v1beta1"} if obj["kind"] == "PodDisruptionBudget" else obj
            r = self.api.request("POST", PLACES[obj["kind"]], sent)
            eq(r.status, 201, f"create {obj['kind']} {obj['metadata']['name']}: {r}")
            missing = list(lost(sent, r.body))
            eq([m for m in missing if m != ".spec.ordinals"], [], f"fields of {obj['kind']} that the server dropped")

    def token(self):
        """The kubelet's for the pod's service account; the stand-in has one token, with the rights of the Role."""
        account = self.objects.template["spec"]["serviceAccountName"]
        if not self.api.real:
            self.api.allow(kube.POD, *self.objects.rights())
            return kube.POD
        r = self.api.request("POST", f"{PLACES['ServiceAccount']}/{account}/token", {"spec": {"expirationSeconds": 3600}})
        eq(r.status, 201, f"token of {account}: {r}")
        return r.body["status"]["token"]

    def volumes(self, member):
        """Folders for the volumes of the pod and the claims of the set."""
        user = self.objects.template["spec"]["securityContext"]
        found = {}
        for v in [*self.objects.template["spec"]["volumes"], *({"name": c["metadata"]["name"]} for c in self.spec()["volumeClaimTemplates"])]:
            path = found[v["name"]] = self.test.folder(f"{member.name}-{v['name']}", owner=False, mode=0o2775)
            os.chown(path, 0, user["fsGroup"])
            if "configMap" in v:
                for name, text in self.objects.of("ConfigMap", v["configMap"]["name"])["data"].items():
                    self.test.file(f"{member.name}-{v['name']}/{name}", text)
                for s in self.secrets:
                    os.makedirs(f"{path}/secrets/{s}", exist_ok=True)
            for name, text in self.secrets.get(v.get("secret", {}).get("secretName"), {}).items():
                self.test.file(f"{member.name}-{v['name']}/{name}", text, mode=v["secret"]["defaultMode"])
                os.chown(f"{path}/{name}", 0, user["fsGroup"])
        return found

    def new_pod(self, name, address):
        """A pod of the template, as the StatefulSet makes it."""
        self.api.request("DELETE", f"{kube.PODS}/{name}?gracePeriodSeconds=0")
        template = self.objects.template
        spec = {**template["spec"], "volumes": template["spec"]["volumes"] + [
            {"name": c["metadata"]["name"], "persistentVolumeClaim": {"claimName": f"{c['metadata']['name']}-{name}"}}
            for c in self.spec()["volumeClaimTemplates"]]}
        r = self.api.request("POST", kube.PODS, {"metadata": {"name": name, "labels": dict(template["metadata"]["labels"])}, "spec": spec})
        eq(r.status, 201, f"create pod {name}: {r}")
        eq(list(lost(spec, r.body["spec"])), [], "fields of the pod that the server dropped")
        r2 = self.api.request("PATCH", f"{kube.PODS}/{name}" + ("/status" if self.api.real else ""),
                              {"status": {"podIP": address}}, kind=kube.MERGE)
        eq(r2.status, 200, f"address of pod {name}: {r2}")
        return r.body["metadata"]["uid"]

    def start_all(self):
        first = self.spec()["ordinals"]["start"]
        for n in range(first, first + self.spec()["replicas"]):
            m = ManifestMember(self.test, self, n)
            self.test.pods.append(m)
            self.members.append(m)
            m.start()
            if self.spec()["podManagementPolicy"] != "Parallel":
                until(lambda m=m: m.probe("readinessProbe") == 200, 60, f"{m.name} is ready")

    def endpoints(self, service):
        """Addresses and ports behind a Service now: pods that it selects and that are ready."""
        spec = self.objects.of("Service", service)["spec"]
        found = []
        for m in self.members:
            labels = m.labels()
            if all(labels.get(k) == v for k, v in spec["selector"].items()) and m.probe("readinessProbe") == 200:
                found.append((m, m.port_of(spec["ports"][0]["targetPort"])))
        return found

    def query(self, service, secret, sql):
        m, port = self.endpoints(service)[0]
        s = self.secrets[secret]
        return psql(self.test, m.address, port, sql, db="app", user=s["username"], env={"PGPASSWORD": s["password"]})


def lost(sent, got, at=""):
    """Paths of what was sent and did not come back."""
    if isinstance(sent, dict):
        for k, v in sent.items():
            if not isinstance(got, dict) or k not in got:
                if v not in ({}, [], None):
                    yield f"{at}.{k}"
            else:
                yield from lost(v, got[k], f"{at}.{k}")
    elif isinstance(sent, list):
        for i, v in enumerate(sent):
            if i >= len(got):
                yield f"{at}[{i}]"
            else:
                yield from lost(v, got[i], f"{at}[{i}]")


__all__ = ["ManifestCluster", "Objects"]
