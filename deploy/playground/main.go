// playground is a cluster on a laptop: a real Kubernetes control plane on loopback (etcd, kube-apiserver and
// kube-controller-manager from the Kubernetes modules themselves), without root and without containers, with a stand-in for the
// kubelet and a proxy that makes the API server fail on demand.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"serin.dev/playground/tools"
)

const usage = `usage: playground up --dir DIR [--keep|--forget] [--port N] [--audit-log FILE] [--faults]
                     [--components DIR] [--mesh [--mesh-port N] [--serin PROGRAM] [--prometheus PROGRAM]]
         starts the cluster, prints the path of its kubeconfig (DIR/kubeconfig), runs until a signal; what was in it the last
         time is still there unless --forget; with --components the API server and the controllers are the programs kube-apiserver and
         kube-controller-manager of that folder; with --faults a second line is the proxy's kubeconfig, a third its admin address;
         with --mesh the last line has the data plane's addresses
       playground mesh --kubeconfig FILE [--mesh-port N] [--serin PROGRAM] [--prometheus PROGRAM]
         runs only the data plane, beside a cluster of ours; prints its addresses
       playground slack [--port N] [--out FILE]
         prints the address of a Slack webhook, then what it is sent, a line each
       playground proxy (--dir DIR | --kubeconfig FILE --out FILE) [--http1]
         runs only the proxy, before the cluster in DIR or that of a kubeconfig; prints its kubeconfig and its admin address
`

func main() {
	switch filepath.Base(os.Args[0]) { // for load and acceptance tests, see makeTools
	case "hey":
		finish(tools.Hey(os.Args[1:]))
		return
	case "grpc_health_probe":
		finish(tools.Probe(os.Args[1:]))
		return
	}
	if len(os.Args) < 2 {
		misused()
	}
	component := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	switch component {
	case "up":
		finish(up(os.Args[1:]))
	case "proxy":
		finish(proxy(os.Args[1:]))
	case "mesh":
		finish(mesh(os.Args[1:]))
	case "slack":
		finish(tools.Slack(os.Args[1:]))
	case "apiserver": // run by up
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "controller-manager": // run by up
		os.Exit(cli.Run(controllers.NewControllerManagerCommand()))
	case "help", "-h", "--help":
		fmt.Print(usage)
	default:
		misused()
	}
}

func finish(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "playground:", err)
		os.Exit(1)
	}
}

func misused() {
	fmt.Fprint(os.Stderr, usage)
	os.Exit(2)
}
