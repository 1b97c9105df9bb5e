#!/bin/sh
# Installs serin into the cluster of the current kubectl context, for one repository; prints the deploy key as soon as there is one,
# and waits until the repository is in the cluster. It needs kubectl, nothing else: this file is enough. Running it again is fine.
#
#   flux-init.sh [OPTION...] GIT_URL [-- FLAG_OF_SERIN_RUN...]
#
#   GIT_URL               git@github.com:me/cluster, ssh://git@host/me/cluster or https://host/me/cluster
#   --branch NAME         branch to follow (master)
#   --path PATH[,PATH]    directories or files of the repository to apply (all of it)
#   --namespace NAME      namespace to install to (flux)
#   --readonly            never push to the repository: a deploy key that can only read is enough
#   --user NAME           who commits (Flux)
#   --email ADDRESS       the address of commits
#   --known-hosts FILE    host keys of the git host; those of github.com, gitlab.com and bitbucket.org are known
#   --image IMAGE         image of serin, with its registry (serin:0.1.0)
#   --poll-interval TIME  how often to look for commits and images (1m)
#   --no-prune            do not delete from the cluster what was removed from the repository
#   --timeout SECONDS     how long to wait for the key, then for the first sync (600); 0: do not wait
#   --context NAME        context of the kubeconfig
#   --kubeconfig FILE     kubeconfig of the cluster
#   --dry-run             print the manifests, and change nothing
#
# https needs no deploy key. A user and a token come from a Secret:
#   kubectl -n flux create secret generic flux-git-auth --from-literal=GIT_AUTHUSER=me --from-literal=GIT_AUTHKEY=token
#   flux-init.sh 'https://$(GIT_AUTHUSER):$(GIT_AUTHKEY)@host/me/cluster'
set -eu

url='' branch=master path='' namespace=flux readonly='' user=Flux email='' known_hosts='' image=serin:0.1.0 interval=1m prune=true
timeout=600 context='' kubeconfig='' dry_run='' step=2
tab=$(printf '\t')
newline='
'

say() {
  printf '%s\n' "$*" >&2
}

die() {
  printf 'flux-init.sh: %s\n' "$*" >&2
  exit 1
}

usage() {
  printf 'flux-init.sh: %s (--help says what there is)\n' "$*" >&2
  exit 2
}

help() {
  [ -r "$0" ] || die "read from a pipe, it cannot show its own head: save it to a file first"
  sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0"
}

k() {
  kubectl ${kubeconfig:+"--kubeconfig=$kubeconfig"} ${context:+"--context=$context"} "$@"
}

kn() {
  k --namespace="$namespace" "$@"
}

# -- the command line --------------------------------------------------------------------------------------------------------------

while [ $# -gt 0 ]; do
  case $1 in
    --branch | --path | --namespace | -n | --user | --email | --known-hosts | --image | --poll-interval | --timeout | --context | --kubeconfig)
      [ $# -gt 1 ] || usage "$1 needs a value"
      ;;
  esac
  case $1 in
    --?*=*) # --branch=x is --branch x
      option=${1%%=*} value=${1#*=}
      shift
      set -- "$option" "$value" "$@"
      continue
      ;;
    --branch) branch=$2 && shift 2 ;;
    --path) path=$2 && shift 2 ;;
    --namespace | -n) namespace=$2 && shift 2 ;;
    --user) user=$2 && shift 2 ;;
    --email) email=$2 && shift 2 ;;
    --known-hosts) known_hosts=$2 && shift 2 ;;
    --image) image=$2 && shift 2 ;;
    --poll-interval) interval=$2 && shift 2 ;;
    --timeout) timeout=$2 && shift 2 ;;
    --context) context=$2 && shift 2 ;;
    --kubeconfig) kubeconfig=$2 && shift 2 ;;
    --readonly) readonly=true && shift ;;
    --no-prune) prune=false && shift ;;
    --dry-run) dry_run=true && shift ;;
    --help | -h) help && exit 0 ;;
    --) shift && break ;;
    -*) usage "unknown option $1" ;;
    *)
      [ -z "$url" ] || usage "one repository at a time: $url or $1"
      url=$1 && shift
      ;;
  esac
done
# What is left in "$@" are flags of serin run.

[ -n "$url" ] || usage "which repository? flux-init.sh GIT_URL"
for value in "$url" "$branch" "$path" "$user" "$email" "$image" "$interval" "$@"; do
  case $value in
    *"$newline"* | *"$tab"*) usage "a line break or tab in '$value'" ;;
  esac
done
case $namespace in
  '' | *[!a-z0-9-]*) usage "'$namespace' is no name of a namespace" ;;
esac
case $timeout in
  '' | *[!0-9]*) usage "--timeout takes seconds, not '$timeout'" ;;
esac
# shellcheck disable=SC2016 # what Kubernetes is to expand
case $url in
  *' '*) usage "a blank in '$url'" ;;
  https://*'$('*')@'* | http://*'$('*')@'*) kind=other ;;
  https://*:*@* | http://*:*@*) usage "no passwords in the URL: everybody who may look at the Deployment would see it; --help says how" ;;
  https://?* | http://?* | git://?*) kind=other ;;
  ssh://?* | ?*@?*:?*) kind=ssh ;;
  *) usage "'$url' is no address of a repository that the cluster can reach: git@host:path, ssh://..., https://..." ;;
esac
case $image in
  '' | *[!a-zA-Z0-9./:@_-]*) usage "'$image' is no image" ;;
esac
[ -z "$known_hosts" ] || [ -r "$known_hosts" ] || die "cannot read $known_hosts"

# -- the manifests: deploy/sync.yaml, under Flux's names (tests/cmd/test_install.c compares) --------------------------------------------

secrets='flux-git-deploy serin-api' # the deploy key; the token of the API. What is there is left as it is.

# arg TEXT: an item of the arguments; a text in single quotes is taken as it is.
arg() {
  printf "        - '%s'\n" "$(printf '%s' "$1" | sed "s/'/''/g")"
}

args() {
  arg run
  arg "--git-url=$url"
  arg "--git-branch=$branch"
  [ -z "$path" ] || arg "--git-path=$path"
  arg "--git-user=$user"
  [ -z "$email" ] || arg "--git-email=$email"
  [ -z "$readonly" ] || arg --git-readonly
  arg "--git-poll-interval=$interval"
  arg "--automation-interval=$interval"
  arg --sync-state=secret
  arg "--sync-garbage-collection=$prune"
  arg --state-dir=/state
  arg --ssh-keygen-dir=/keygen
  arg --ssh-known-hosts=/etc/serin/ssh/known_hosts
  for flag in "$@"; do
    arg "$flag"
  done
}

namespace_manifest() {
  cat <<YAML
---
apiVersion: v1
kind: Namespace
metadata:
  name: $namespace
  labels:
    pod-security.kubernetes.io/enforce: restricted
YAML
}

secret_manifest() { # NAME
  cat <<YAML
---
apiVersion: v1
kind: Secret
metadata:
  name: $1
  namespace: $namespace
type: Opaque
YAML
}

manifests() {
  cat <<YAML
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: flux
  namespace: $namespace
  labels:
    name: flux
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: flux
  labels:
    name: flux
rules:
- apiGroups: ["*"]
  resources: ["*"]
  verbs: ["*"]
- nonResourceURLs: ["*"]
  verbs: ["*"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: flux
  labels:
    name: flux
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: flux
subjects:
- kind: ServiceAccount
  name: flux
  namespace: $namespace
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: flux
  namespace: $namespace
  labels:
    name: flux
spec:
  replicas: 1
  strategy:
    type: Recreate
  selector:
    matchLabels:
      name: flux
  template:
    metadata:
      labels:
        name: flux
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "3030"
    spec:
      serviceAccountName: flux
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        fsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
      volumes:
      - name: git-key
        secret:
          secretName: flux-git-deploy
          defaultMode: 288
      - name: git-host-keys
        configMap:
          name: flux-ssh-config
          optional: true
      - name: keygen
        emptyDir:
          medium: Memory
      - name: state
        emptyDir: {}
      - name: tmp
        emptyDir: {}
      containers:
      - name: flux
        image: '$image'
        args:
$(args "$@")
        envFrom:
        - secretRef:
            name: flux-git-auth
            optional: true
        ports:
        - name: http
          containerPort: 3030
        volumeMounts:
        - name: git-key
          mountPath: /etc/fluxd/ssh
          readOnly: true
        - name: git-host-keys
          mountPath: /etc/serin/ssh
          readOnly: true
        - name: keygen
          mountPath: /keygen
        - name: state
          mountPath: /state
        - name: tmp
          mountPath: /tmp
        livenessProbe:
          httpGet:
            path: /healthz
            port: http
          periodSeconds: 10
          timeoutSeconds: 5
        readinessProbe:
          httpGet:
            path: /readyz
            port: http
          periodSeconds: 10
          timeoutSeconds: 5
        resources:
          requests:
            cpu: 10m
            memory: 64Mi
          limits:
            memory: 1Gi
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities:
            drop: [ALL]
YAML
}

if [ -n "$dry_run" ]; then
  namespace_manifest
  for secret in $secrets; do
    secret_manifest "$secret"
  done
  manifests "$@"
  exit 0
fi

# -- the cluster ---------------------------------------------------------------------------------------------------------------------

command -v kubectl >/dev/null || die "kubectl not found: install it, and choose a context"
reached=$(k get --raw /version 2>&1) || die "kubectl cannot reach a cluster: $reached"

# Two of them would undo each other's work.
first=$(kn get deployment flux --ignore-not-found -o 'jsonpath={.spec.template.spec.containers[0].args[0]}') || die "kubectl cannot look into namespace $namespace"
found=$(kn get deployment flux --ignore-not-found -o name)
if [ -n "$found" ] && [ "$first" != run ]; then
  die "there is another deployment/flux in namespace $namespace, and two of them would fight. Its deploy key is kept when you delete it:
  kubectl -n $namespace delete deployment flux"
fi

say "installing into namespace $namespace of ${context:-$(k config current-context 2>/dev/null || echo 'the cluster')}"
[ -n "$(k get namespace "$namespace" --ignore-not-found -o name)" ] || namespace_manifest | k apply -f - >&2
for secret in $secrets; do
  [ -n "$(kn get secret "$secret" --ignore-not-found -o name)" ] || secret_manifest "$secret" | k apply -f - >&2
done
if [ -n "$known_hosts" ]; then
  kn create configmap flux-ssh-config --from-file=known_hosts="$known_hosts" --dry-run=client -o yaml | kn apply -f - >&2
fi
manifests "$@" | k apply -f - >&2

# -- the key and the first sync -------------------------------------------------------------------------------------------------------

# What the Secret has; a key that is older than serin has no public half there, and is in the log.
public_key() {
  key=$(kn get secret flux-git-deploy -o 'go-template={{with .data}}{{with index . "identity.pub"}}{{. | base64decode}}{{end}}{{end}}' 2>/dev/null) || key=''
  if [ -z "$key" ]; then
    key=$(kn logs deployment/flux 2>/dev/null | sed -n 's/^.*identity\.pub="\([^"]*\)".*$/\1/p' | tail -n 1) || key=''
  fi
  [ -n "$key" ]
}

applied() {
  commit=$(kn get secret flux-git-deploy -o 'go-template={{with .metadata.annotations}}{{with index . "flux.weave.works/sync-hwm"}}{{.}}{{end}}{{end}}' 2>/dev/null) || commit=''
  [ -n "$commit" ] && kn rollout status deployment/flux --watch=false 2>/dev/null | grep -q 'successfully rolled out'
}

# The pod's trouble (an image that cannot be pulled), else the daemon's last one.
trouble() {
  kn get pods -l name=flux -o 'jsonpath={range .items[*].status.containerStatuses[*]}{.state.waiting.reason} {.state.waiting.message}{"\n"}{end}' 2>/dev/null |
    sed -n '/^ContainerCreating/d; /^ *$/d; p' | tail -n 1
  kn logs deployment/flux --tail=200 2>/dev/null | sed -n 's/^.* err="\(.*\)".*$/\1/p' | tail -n 1
}

# await WHAT COMMAND: until it is true; what is in the way is said when it is something new.
await() {
  since=0 last=''
  until "$2"; do
    [ "$since" -lt "$timeout" ] || die "no $1 after $timeout seconds.${last:+ The last trouble: $last}
  kubectl -n $namespace describe pods -l name=flux; kubectl -n $namespace logs deployment/flux"
    if [ "$since" -ge 10 ]; then
      now=$(trouble | head -n 1)
      if [ -n "$now" ] && [ "$now" != "$last" ]; then
        say "still waiting for the $1: $now"
        last=$now
      fi
    fi
    sleep "$step"
    since=$((since + step))
  done
}

if [ "$timeout" = 0 ]; then
  say "installed. The deploy key, once there is one: kubectl -n $namespace logs deployment/flux | grep identity.pub"
  exit 0
fi
if [ $kind = ssh ]; then
  await "deploy key" public_key
  if [ -n "$readonly" ]; then access='' hint='read access is enough'; else access=' with write access' hint='it pushes the commits of releases'; fi
  say "add this deploy key to the repository at the git host$access ($hint):"
  printf '\n%s\n\n' "$key"
fi
say "waiting for the first sync"
await "first sync" applied
say "synced: commit $commit of $branch is in the cluster"
