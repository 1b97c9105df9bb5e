"""Random manifests: what a repository may hold, and what people do to it."""

import base64
import copy

import yaml

SECRET = "hush-do-not-log"  # in every value of a Secret
KINDS = ("ConfigMap", "ConfigMap", "Secret", "ServiceAccount", "Deployment", "Service", "Role", "RoleBinding", "PodDisruptionBudget",
         "HorizontalPodAutoscaler", "Widget")
SHORT = {"ConfigMap": "cm", "Secret": "sec", "ServiceAccount": "sa", "Deployment": "dep", "Service": "svc", "Role": "role", "Widget": "w",
         "RoleBinding": "rb", "PodDisruptionBudget": "pdb", "HorizontalPodAutoscaler": "dep"}
APIS = {"Deployment": "apps/v1", "Role": "rbac.authorization.k8s.io/v1", "RoleBinding": "rbac.authorization.k8s.io/v1",
        "PodDisruptionBudget": "policy/v1", "HorizontalPodAutoscaler": "autoscaling/v2"}
JUNK = ("# nothing\n", "---\n---\n", "just text\n", "apiVersion: v1\nkind: List\nitems: []\n", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: x-\n",
        "kind: ConfigMap\nmetadata:\n  name: no-version\n", "apiVersion: v1\nkind: ConfigMap\n", "[1, 2]\n")
BROKEN = ("a: [b\n", "a: b: c\n", "\ta: b\n", "a: &x [*x]\n", "a: {b\n", "a: \x01\n")


class Maker:
    def __init__(self, r, prefix):
        self.r, self.prefix, self.group = r, prefix, prefix + ".example.com"
        self.namespaces = [f"{prefix}-{one}" for one in "abc"]
        self.crd_name = "widgets." + self.group
        self.kinds = {"Widget": ("/apis/" + self.group + "/v1", "widgets", True),
                      "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles", True),
                      "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
                      "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets", True)}

    def first(self):
        ns = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespaces[0]}}
        return {"base.yaml": [ns, self.make("ConfigMap", self.namespaces[0], "base")], "ns-b.yaml": [self.namespace(1)], "ns-c.yaml": [self.namespace(2)],
                "crd.yaml": [self.crd()], "f0.yaml": [self.some() for _ in range(4)]}

    def namespace(self, at):
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespaces[at], "labels": {"v": str(self.r.randrange(9))}}}

    def crd(self):
        return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": self.crd_name},
                "spec": {"group": self.group, "scope": "Namespaced",
                         "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
                         "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                             "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}

    def some(self):
        kind = self.r.choice(KINDS)
        return self.make(kind, self.r.choice(self.namespaces), f"{SHORT[kind]}{self.r.randrange(4)}")

    def make(self, kind, ns, name):
        one = {"apiVersion": APIS.get(kind, self.group + "/v1" if kind == "Widget" else "v1"), "kind": kind,
               "metadata": {"name": name, "namespace": ns, **({"labels": {"app": name, "v": self.v()}} if self.r.random() < 0.5 else {})}}
        one.update(getattr(self, "make_" + kind.lower())(name))
        return one

    def v(self):
        return str(self.r.randrange(100))

    def make_configmap(self, name):
        return {"data": {key: self.v() for key in "abc" if key == "a" or self.r.random() < 0.5}}

    def make_secret(self, name):
        values = {key: SECRET + self.v() for key in "ab" if key == "a" or self.r.random() < 0.5}
        return {"stringData": values} if self.r.random() < 0.5 else {"data": {k: base64.b64encode(v.encode()).decode() for k, v in values.items()}}

    def make_serviceaccount(self, name):
        return {"automountServiceAccountToken": self.r.random() < 0.5}

    def make_deployment(self, name):
        app = name if self.r.random() < 0.9 else name + "-other"  # a selector cannot be changed
        return {"spec": {"replicas": 0, "selector": {"matchLabels": {"app": app}}, "template": {
            "metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "main", "image": "app:" + self.v(), "env": [
                {"name": key, "value": self.v()} for key in "KX" if self.r.random() < 0.5]}]}}}}

    def make_service(self, name):
        spec = {"selector": {"app": name}, "ports": [{"name": f"p{n}", "port": 8000 + n, "targetPort": self.r.choice((80, "http"))} for n in range(self.r.randint(1, 3))]}
        return {"spec": {**spec, **({"clusterIP": "None"} if self.r.random() < 0.15 else {})}}

    def make_role(self, name):
        return {"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": self.r.sample(["get", "list", "watch"], self.r.randint(1, 3))}]}

    def make_rolebinding(self, name):
        return {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": self.r.choice(("role0", "role0", "role1"))},
                "subjects": [{"kind": "ServiceAccount", "name": "sa" + str(self.r.randrange(3)), "namespace": self.namespaces[0]}]}

    def make_poddisruptionbudget(self, name):
        return {"spec": {"minAvailable": self.r.randrange(5), "selector": {"matchLabels": {"app": self.v()}}}}

    def make_horizontalpodautoscaler(self, name):
        return {"spec": {"minReplicas": 1, "maxReplicas": self.r.randint(2, 5), "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}}}

    def make_widget(self, name):
        return {"spec": {"size": self.r.randrange(50), "list": [self.v() for _ in range(self.r.randrange(3))]}}

    # -- files: path -> list of objects, or text -------------------------------------------------------------------

    copy = staticmethod(copy.deepcopy)

    def texts(self, files):
        return {path: one if isinstance(one, str) else yaml.safe_dump_all(one, sort_keys=False) for path, one in files.items()}

    @staticmethod
    def flat(documents):
        for one in documents:
            if one.get("kind") == "List":
                yield from Maker.flat(one["items"])
            else:
                yield one

    def objects(self, files):
        return [one for documents in files.values() if not isinstance(documents, str) for one in self.flat(documents)]

    def lists(self, files):
        """Places where objects are: (path, list, index), the base left alone."""
        return [(path, documents, at) for path, documents in sorted(files.items()) if path != "base.yaml" and not isinstance(documents, str)
                for at in range(len(documents))]

    def mutate(self, files):
        """Changes the files; says how."""
        how = self.r.choice(("add", "add", "add", "change", "change", "change", "remove", "remove", "move", "other_namespace", "wrap", "duplicate",
                             "break", "mend", "mend", "ignore", "rename", "drop_file", "namespace", "crd", "junk"))
        return f"{how}: {getattr(self, 'do_' + how)(files)}"

    def pick(self, files):
        places = [place for place in self.lists(files) if place[1][place[2]].get("kind") != "List"]
        return self.r.choice(places) if places else (None, None, None)

    @staticmethod
    def name(one):
        return f"{one.get('kind')} {one.get('metadata', {}).get('namespace')}/{one.get('metadata', {}).get('name')}"

    def path(self):
        return self.r.choice(("", "sub/", "sub/deep/")) + f"f{self.r.randrange(8)}.yaml"

    def put(self, files, one):
        path = self.path()
        if isinstance(files.get(path), str):
            path = f"g{self.r.randrange(9)}.yaml"
        if isinstance(files.get(path), str):
            return "nowhere"
        files.setdefault(path, []).append(one)
        return path

    def ids(self, files):
        return [self.name(one) for one in self.objects(files)]

    def do_add(self, files):
        one = self.some()
        if self.name(one) in self.ids(files):
            return "is there"
        return f"{self.name(one)} in {self.put(files, one)}"

    def do_change(self, files):
        path, documents, at = self.pick(files)
        if path is None or documents[at]["kind"] not in SHORT:
            return "nothing"
        meta = documents[at]["metadata"]
        documents[at] = self.make(documents[at]["kind"], meta["namespace"], meta["name"])
        return f"{self.name(documents[at])} in {path}"

    def do_remove(self, files):
        path, documents, at = self.pick(files)
        if path is None or documents[at]["kind"] not in SHORT:
            return "nothing"
        one = documents.pop(at)
        return f"{self.name(one)} of {path}"

    def do_move(self, files):
        path, documents, at = self.pick(files)
        if path is None:
            return "nothing"
        one = documents.pop(at)
        return f"{self.name(one)} from {path} to {self.put(files, one)}"

    def do_other_namespace(self, files):
        path, documents, at = self.pick(files)
        if path is None or documents[at]["kind"] not in SHORT:
            return "nothing"
        one = copy.deepcopy(documents[at])
        one["metadata"]["namespace"] = self.r.choice(self.namespaces)
        if self.name(one) in self.ids(files):
            return "is there"
        documents[at] = one
        return f"{self.name(one)} in {path}"

    def do_wrap(self, files):
        paths = [path for path, documents in files.items() if not isinstance(documents, str) and path != "base.yaml" and documents]
        if not paths:
            return "nothing"
        path = self.r.choice(paths)
        is_list = files[path][0].get("kind") == "List"
        files[path] = list(self.flat(files[path])) if is_list else [{"apiVersion": "v1", "kind": "List", "items": files[path]}]
        return path

    def do_duplicate(self, files):
        path, documents, at = self.pick(files)
        if path is None:
            return "nothing"
        return f"{self.name(documents[at])} also in {self.put(files, copy.deepcopy(documents[at]))}"

    def do_break(self, files):
        paths = [path for path, documents in files.items() if not isinstance(documents, str) and path != "base.yaml"]
        if not paths or self.r.random() < 0.5:
            return "not"
        path = self.r.choice(paths)
        files[path] = self.texts({path: files[path]})[path] + "---\n" + self.r.choice(BROKEN)
        return path

    def do_mend(self, files):
        paths = [path for path, documents in files.items() if isinstance(documents, str)]
        for path in paths:
            files[path] = [self.some()] if self.r.random() < 0.5 else []
        return ", ".join(paths)

    def do_ignore(self, files):
        path, documents, at = self.pick(files)
        if path is None:
            return "nothing"
        value = self.r.choice((None, None, "true", "sync_only"))
        meta = documents[at]["metadata"]
        meta["annotations"] = {"fluxcd.io/ignore": value} if value else {}
        return f"{value} of {self.name(documents[at])}"

    def do_rename(self, files):
        paths = [path for path in files if path != "base.yaml"]
        path, to = self.r.choice(paths) if paths else None, self.path()
        if path is None or to in files:
            return "nothing"
        files[to] = files.pop(path)
        return f"{path} to {to}"

    def do_drop_file(self, files):
        paths = [path for path in files if path != "base.yaml"]
        if not paths or self.r.random() < 0.4:
            return "nothing"
        path = self.r.choice(paths)
        del files[path]
        return path

    def do_namespace(self, files):
        at = self.r.choice((1, 2))
        if any(self.name(one) == f"Namespace None/{self.namespaces[at]}" for one in self.objects(files)):
            return "is there"
        return f"{self.namespaces[at]} in {self.put(files, self.namespace(at))}"

    def do_crd(self, files):
        if any(one.get("kind") == "CustomResourceDefinition" for one in self.objects(files)):
            return "is there"
        return self.put(files, self.crd())

    def do_junk(self, files):
        path = f"junk{self.r.randrange(3)}.yaml"
        if path in files:
            del files[path]
            return f"no {path}"
        files[path] = self.r.choice(JUNK)
        return path
