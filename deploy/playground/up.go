package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"serin.dev/playground/kubelet"
)

// auditPolicy logs who asked for what, once per request: a watch when it begins and when it ends, all else when answered.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules: [{level: Metadata}]
`

// cluster is one control plane and where it keeps things.
type cluster struct {
	dir      string
	port     int
	ports    ports
	auditLog string
	programs string     // folder of the components of another release; "": those in this program
	ended    chan error // a component that ended by itself
	stops    []func()   // in the order of starting
}

func (c *cluster) file(names ...string) string {
	return filepath.Join(append([]string{c.dir}, names...)...)
}

// up starts every component under a directory and returns when a signal arrives or one of them ends.
func up(args []string) error {
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	dir := flags.String("dir", "", "directory for state, logs and kubeconfig (made if missing)")
	port := flags.Int("port", 0, "port of the API server on 127.0.0.1 (0: that of the last time, else a free one)")
	auditLog := flags.String("audit-log", "", "file to log every request to, one JSON object a line (none if empty)")
	programs := flags.String("components", "", "folder with a kube-apiserver and a kube-controller-manager of another release to run in place of ours")
	forget := flags.Bool("forget", false, "begin with an empty cluster")
	flags.Bool("keep", true, "go on with what was in the cluster the last time")
	withFaults := flags.Bool("faults", false, "put the proxy that injects faults before it")
	withMesh, options := flags.Bool("mesh", false, "run the data plane: pods that answer, a gateway, a proxy for names, metrics"), meshFlags(flags)
	flags.Parse(args)
	if *dir == "" {
		return fmt.Errorf("--dir is required")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &cluster{port: *port, auditLog: *auditLog, programs: *programs, ended: make(chan error, 5)}
	defer c.stop()
	if err := c.prepare(*dir, *forget); err != nil {
		return err
	}
	if err := c.start(ctx); err != nil {
		return err
	}
	fmt.Println(c.file("kubeconfig"))
	if *withFaults {
		stopProxy, err := startProxy(c.file("kubeconfig"), c.file("kubeconfig-faulty"), false, c.ended)
		if err != nil {
			return err
		}
		c.stops = append(c.stops, stopProxy)
	}
	if *withMesh {
		stopMesh, err := startMesh(ctx, c.file("kubeconfig"), options, c.ended)
		if err != nil {
			return err
		}
		c.stops = append(c.stops, stopMesh)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-c.ended:
		return err
	}
}

// prepare makes the directory this process's own; with forget it also empties it of what a cluster left.
func (c *cluster) prepare(dir string, forget bool) (err error) {
	if c.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(c.file("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%s is in use by another playground", c.dir)
	}
	c.stops = append(c.stops, func() { lock.Close() }, c.ports.release)
	if forget {
		for _, name := range []string{"etcd", "certs", "serviceaccount.key", "port", "kubeconfig", "kubeconfig-faulty"} {
			if err := os.RemoveAll(c.file(name)); err != nil {
				return err
			}
		}
	}
	return c.choosePort()
}

// choosePort takes the port asked for, else the last one if it is still free (so that a kubeconfig stays good), else any. It stays
// ours until the API server listens on it.
func (c *cluster) choosePort() error {
	if c.port == 0 {
		if text, err := os.ReadFile(c.file("port")); err == nil {
			last, _ := strconv.Atoi(strings.TrimSpace(string(text)))
			if last != 0 && c.ports.take(last) == nil {
				c.port = last
			}
		}
	}
	if c.port == 0 {
		port, err := c.ports.any()
		if err != nil {
			return err
		}
		c.port = port
	}
	return os.WriteFile(c.file("port"), fmt.Appendln(nil, c.port), 0o600)
}

func (c *cluster) start(ctx context.Context) error {
	progress("etcd")
	endpoint, stopEtcd, err := startEtcd(c.dir, &c.ports)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	c.stops = append(c.stops, stopEtcd)
	token, err := c.writeCredentials()
	if err != nil {
		return err
	}
	progress("API server")
	serverFlags, err := c.serverFlags(endpoint)
	if err != nil {
		return err
	}
	if err := c.run("apiserver", "kube-apiserver", serverFlags...); err != nil {
		return err
	}
	config := &rest.Config{Host: fmt.Sprintf("https://127.0.0.1:%d", c.port), BearerToken: token, QPS: -1, UserAgent: "kubelet",
		TLSClientConfig: rest.TLSClientConfig{CAFile: c.file("certs", "apiserver.crt")}}
	client, err := waitReady(ctx, config, c.ended)
	if err != nil {
		return fmt.Errorf("%w (see %s)", err, c.file("apiserver.log"))
	}
	progress("controllers")
	if err := c.run("controller-manager", "kube-controller-manager",
		"--kubeconfig="+c.file("kubeconfig"), "--leader-elect=false", "--secure-port=0",
		"--service-account-private-key-file="+c.file("serviceaccount.key"),
		"--root-ca-file="+c.file("certs", "apiserver.crt"),
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--controllers=*,-node-lifecycle-controller,-cloud-node-lifecycle-controller,-service-lb-controller,-node-route-controller"); err != nil {
		return err
	}
	if err := kubelet.Run(ctx, client); err != nil {
		return fmt.Errorf("kubelet stand-in: %w", err)
	}
	progress("ready")
	return nil
}

func (c *cluster) serverFlags(endpoint string) ([]string, error) {
	flags := []string{
		"--etcd-servers=" + endpoint,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.port),
		"--cert-dir=" + c.file("certs"),
		"--token-auth-file=" + c.file("tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.file("serviceaccount.key"),
		"--service-account-signing-key-file=" + c.file("serviceaccount.key"),
		"--service-cluster-ip-range=10.0.0.0/16",
		"--endpoint-reconciler-type=none",
		"--allow-privileged=true",
		"--watch-cache=true",
	}
	if c.auditLog == "" {
		return flags, nil
	}
	policy := c.file("audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	return append(flags, "--audit-policy-file="+policy, "--audit-log-path="+c.auditLog), nil
}

func (c *cluster) stop() {
	for i := len(c.stops) - 1; i >= 0; i-- {
		c.stops[i]()
	}
}

var began = time.Now()

// progress says on stderr what is being started; the answers stand alone on stdout.
func progress(what string) {
	fmt.Fprintf(os.Stderr, "[%4.1f s] %s\n", time.Since(began).Seconds(), what)
}

// run starts one component as a child, of this same program unless a folder of programs is given, its output going to
// DIR/<component>.log. The name it is given is the one by which managedFields and the audit log know it.
func (c *cluster) run(component, name string, args ...string) error {
	log, err := os.Create(c.file(component + ".log"))
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	args = append([]string{component}, args...)
	if c.programs != "" {
		program, args = filepath.Join(c.programs, name), args[1:]
	}
	child := exec.Command(program, args...)
	child.Args[0] = name
	child.Stdout, child.Stderr = log, log
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true} // Ctrl-C is for us alone
	if err := child.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() {
		c.ended <- fmt.Errorf("%s ended: %v (see %s)", name, child.Wait(), log.Name())
		close(gone)
	}()
	c.stops = append(c.stops, func() { // what they know is in etcd, which ends in order; their farewells take seconds
		child.Process.Kill()
		<-gone
	})
	return nil
}

func startEtcd(base string, ports *ports) (endpoint string, stop func(), err error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(base, "etcd")
	config.LogLevel, config.LogOutputs = "error", []string{filepath.Join(base, "etcd.log")}
	config.UnsafeNoFsync = true
	var listen [2]url.URL
	for i := range listen {
		port, err := ports.any()
		if err != nil {
			return "", nil, err
		}
		listen[i] = url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = listen[:1], listen[:1]
	config.ListenPeerUrls, config.AdvertisePeerUrls = listen[1:], listen[1:]
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return "", nil, err
	}
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(time.Minute):
		server.Close()
		return "", nil, fmt.Errorf("not ready after a minute (see %s/etcd.log; up --forget begins anew)", base)
	}
	return listen[0].String(), server.Close, nil
}

func waitReady(ctx context.Context, config *rest.Config, ended <-chan error) (kubernetes.Interface, error) {
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case err := <-ended:
			return nil, err
		case <-time.After(200 * time.Millisecond):
		}
		client, err := kubernetes.NewForConfig(config) // fails until the server has written its certificate
		if err != nil {
			continue
		}
		if _, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err == nil {
			return client, nil
		}
	}
	return nil, fmt.Errorf("the API server did not become ready in two minutes")
}
