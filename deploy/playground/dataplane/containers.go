package dataplane

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"serin.dev/playground/kubelet"
)

const (
	endWithin     = 5 * time.Second // what a request may still take when its pod ends
	startsAgain   = 300 * time.Millisecond
	backendWithin = 2 * time.Minute
	podinfoPort   = 9898
	claimedPort   = 10244
)

// container is what runs for a pod: an answering podinfo, or the load tester.
type container struct {
	pod      *core.Pod    // as it was at first
	measures *podMeasures // podinfo alone
	address  string       // 127.x.y.z
	unready  atomic.Bool  // as the cluster was told
	restarts atomic.Int32
	end      func()

	mu    sync.Mutex
	ports map[int]string // container port -> where it is listened on
}

func (c *container) port(number int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ports[number]
}

func (c *container) opened(number int, address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ports == nil {
		c.ports = map[int]string{}
	}
	c.ports[number] = address
}

func (c *container) closed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ports = nil
}

// containers run while their pods do.
type containers struct {
	plane *Plane
	octet int // of the loopback addresses, ours alone while claim is open
	claim net.Listener

	mu   sync.Mutex
	runs map[types.UID]*container
}

// claimOctet takes 127.244.0.0/16, or the next one that no other playground of this machine has.
func (c *containers) claimOctet() (err error) {
	for _, octet := range append([]int{244}, span(200, 253)...) {
		if c.claim, err = net.Listen("tcp", fmt.Sprintf("127.%d.255.254:%d", octet, claimedPort)); err == nil {
			c.octet = octet
			return nil
		}
	}
	return fmt.Errorf("no loopback addresses for pods are free: %w", err)
}

func span(from, to int) (all []int) {
	for i := from; i <= to; i++ {
		all = append(all, i)
	}
	return all
}

// kindOf tells which container of a pod runs here and as what.
func kindOf(pod *core.Pod) (container *core.Container, kind, tag string) {
	for i := range pod.Spec.Containers {
		name, _, _ := strings.Cut(pod.Spec.Containers[i].Image, "@")
		name, tag, _ := strings.Cut(path.Base(name), ":")
		switch name {
		case "podinfo":
			return &pod.Spec.Containers[i], name, tag
		case "flagger-loadtester", "serin":
			return &pod.Spec.Containers[i], "loadtester", tag
		case "prometheus":
			return &pod.Spec.Containers[i], name, tag
		}
	}
	return nil, "", ""
}

// see makes what runs for a pod what its status says.
func (c *containers) see(pod *core.Pod) {
	if pod.Status.Phase != core.PodRunning || pod.Status.PodIP == "" {
		c.forget(pod.UID)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs[pod.UID] != nil {
		return
	}
	spec, kind, tag := kindOf(pod)
	bytes, err := netip.ParseAddr(pod.Status.PodIP)
	run := c.runner(kind)
	if run == nil || err != nil || !bytes.Is4() {
		return
	}
	ip := bytes.As4()
	one := &container{pod: pod, address: fmt.Sprintf("127.%d.%d.%d", c.octet, ip[2], ip[3])}
	first := restartsOf(pod)
	one.restarts.Store(first)
	one.unready.Store(pod.Annotations[kubelet.AnnotationReady] == "false")
	ctx, end := context.WithCancel(c.plane.ctx)
	one.end = end
	c.runs[pod.UID] = one
	if kind == "podinfo" {
		one.measures = newPodMeasures()
	}
	go c.run(ctx, one, spec, func(ctx context.Context) error { return run(ctx, one, spec, tag, first) })
}

// runner is what runs for a kind of container; nil where nothing does, or no program for it was named.
func (c *containers) runner(kind string) func(ctx context.Context, one *container, spec *core.Container, tag string, first int32) error {
	switch options := c.plane.options; {
	case kind == "podinfo":
		return c.podinfo
	case kind == "loadtester" && options.Serin != "":
		return func(ctx context.Context, one *container, spec *core.Container, _ string, _ int32) error {
			return c.loadtester(ctx, one, spec)
		}
	case kind == "prometheus" && options.Prometheus != "":
		return func(ctx context.Context, one *container, spec *core.Container, _ string, _ int32) error {
			return c.prometheus(ctx, one, spec)
		}
	}
	return nil
}

func restartsOf(pod *core.Pod) int32 {
	_, count, _ := strings.Cut(pod.Annotations[kubelet.AnnotationRestarts], "=")
	number, _ := strconv.ParseInt(count, 10, 32)
	return int32(number)
}

func (c *containers) forget(uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if running := c.runs[uid]; running != nil {
		running.end()
		delete(c.runs, uid)
	}
}

// run starts a container again whenever it ends by itself, and has the cluster know.
func (c *containers) run(ctx context.Context, one *container, spec *core.Container, start func(context.Context) error) {
	for {
		err := start(ctx)
		one.closed()
		if ctx.Err() != nil {
			return
		}
		c.plane.log("container %s of %s/%s ended: %v", spec.Name, one.pod.Namespace, one.pod.Name, err)
		c.annotate(one, kubelet.AnnotationRestarts, fmt.Sprintf("%s=%d", spec.Name, one.restarts.Add(1)))
		select {
		case <-ctx.Done():
			return
		case <-time.After(startsAgain):
		}
	}
}

func (c *containers) annotate(one *container, name, value string) {
	patch := fmt.Appendf(nil, `{"metadata":{"uid":%q,"annotations":{%q:%q}}}`, one.pod.UID, name, value)
	_, err := c.plane.client.CoreV1().Pods(one.pod.Namespace).Patch(c.plane.ctx, one.pod.Name, types.MergePatchType, patch, meta.PatchOptions{})
	if err != nil && c.plane.ctx.Err() == nil {
		c.plane.log("annotation of pod %s/%s: %v", one.pod.Namespace, one.pod.Name, err)
	}
}

// listens is where a pod's container port is listened on.
func (c *containers) listens(pod *core.Pod, port int) string {
	c.mu.Lock()
	running := c.runs[pod.UID]
	c.mu.Unlock()
	if running == nil {
		return ""
	}
	return running.port(port)
}

// all are the containers there are, by their pods.
func (c *containers) all() []*container {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := make([]*container, 0, len(c.runs))
	for _, one := range c.runs {
		found = append(found, one)
	}
	return found
}

// podinfo answers on every port of a container until the context ends, or it is asked to panic.
func (c *containers) podinfo(ctx context.Context, one *container, spec *core.Container, tag string, first int32) error {
	panicked := make(chan struct{})
	var once sync.Once
	env := environmentOf(spec)
	args := append(append([]string{}, spec.Command...), spec.Args...)
	fault, owner := foretold(tag), workloadOf(one.pod)
	app := &podinfo{hostname: one.pod.Name, version: tag, env: env, measures: one.measures,
		color:    lookup(args, env, "ui-color", "#34577c"),
		message:  lookup(args, env, "ui-message", "greetings from podinfo v"+tag),
		backends: strings.Fields(strings.ReplaceAll(lookup(args, env, "backend-url", ""), ",", " ")),
		client:   &http.Client{Timeout: backendWithin, Transport: &http.Transport{Proxy: http.ProxyURL(c.plane.proxyFor(one.pod)), DisableKeepAlives: true}},
		secret:   []byte(lookup(nil, env, "jwt-secret", "changeme")),
		service:  lookup(args, env, "grpc-service-name", "podinfo"),
		troubles: func() trouble { return c.plane.faults.of(owner.namespace, owner.name, fault) },
		onReady: func(ready bool) {
			one.unready.Store(!ready)
			c.annotate(one, kubelet.AnnotationReady, strconv.FormatBool(ready))
		},
		onPanic: func() { once.Do(func() { close(panicked) }) }}
	switch {
	case !one.unready.Load():
	case one.restarts.Load() == first: // it is the plane that begins, not the container
		app.unready.Store(true)
	default:
		app.onReady(true)
	}
	servers, err := c.serve(one, portsOf(spec), app)
	if err == nil {
		select {
		case <-ctx.Done():
		case <-panicked:
			err = fmt.Errorf("exit status 255: it was asked to panic")
		}
	}
	one.closed()
	for _, server := range servers {
		if err != nil {
			server.Close()
			continue
		}
		go func() {
			late, cancel := context.WithTimeout(context.Background(), endWithin)
			defer cancel()
			if server.Shutdown(late) != nil {
				server.Close()
			}
		}()
	}
	return err
}

// serve listens on the ports of a podinfo; each is open for traffic only when all are listened on.
func (c *containers) serve(one *container, ports []core.ContainerPort, app *podinfo) (servers []*http.Server, err error) {
	whole, metrics := app.handler(false), app.handler(true)
	at := map[int]string{}
	for _, port := range ports {
		if port.Protocol == core.ProtocolUDP {
			continue
		}
		listener, err := listenOn(one.address, int(port.ContainerPort))
		if err != nil {
			return servers, fmt.Errorf("port %d: %w", port.ContainerPort, err)
		}
		handler := whole
		if strings.Contains(port.Name, "metrics") {
			handler = metrics
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, ErrorLog: c.plane.quiet}
		if isGRPC(port) {
			server = app.grpc()
		}
		servers, at[int(port.ContainerPort)] = append(servers, server), listener.Addr().String()
		go server.Serve(listener)
	}
	for port, address := range at {
		one.opened(port, address)
	}
	return servers, nil
}

// listenOn takes the port itself, or any other where that one needs rights or is taken: who asks the plane for it is led there.
func listenOn(address string, port int) (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err != nil {
		return net.Listen("tcp", net.JoinHostPort(address, "0"))
	}
	return listener, nil
}

func portsOf(spec *core.Container) []core.ContainerPort {
	if len(spec.Ports) == 0 {
		return []core.ContainerPort{{Name: "http", ContainerPort: podinfoPort}}
	}
	return spec.Ports
}

// environmentOf gives the plain values; what comes from Secrets, ConfigMaps and fields is not there.
func environmentOf(spec *core.Container) (all []string) {
	for _, one := range spec.Env {
		if one.ValueFrom == nil {
			all = append(all, one.Name+"="+one.Value)
		}
	}
	return all
}
