// Package dataplane is what a mesh, an ingress controller, cluster DNS and the containers themselves are in a cluster: pods of podinfo
// answer on loopback addresses, a gateway and a proxy lead requests to them as the routing objects say, and all is counted under the
// names that the real ones use.
package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Options are what a plane may be told.
type Options struct {
	GatewayPort int       // 0: any
	Serin       string    // program that pods of the load tester run; none: they stay silent
	Prometheus  string    // program that pods of prometheus run (arguments: folder, address, address to read); none: they stay silent
	Tools       string    // folder first on their PATH
	Kubeconfig  string    // of their kubectl
	Output      io.Writer // log, of the plane and of what it runs
}

// Plane is one data plane; its three addresses are open until the context ends.
type Plane struct {
	Gateway, Proxy, Admin net.Listener

	ctx        context.Context
	options    Options
	client     kubernetes.Interface
	dynamic    dynamic.Interface
	quiet      *log.Logger
	world      world
	routes     routes
	splits     splits
	faults     faults
	measures   *measures
	containers containers
	transport  http.RoundTripper
	reverse    *httputil.ReverseProxy
	mirrored   sync.Map // rule and mirror -> *share
	mirrors    chan struct{}
}

// Start begins to watch and to listen; Serve then runs until the context ends or a listener fails.
func Start(ctx context.Context, config *rest.Config, options Options) (p *Plane, err error) {
	config = rest.CopyConfig(config)
	config.QPS, config.UserAgent = -1, "data-plane"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	others, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return start(ctx, client, others, options)
}

func start(ctx context.Context, client kubernetes.Interface, others dynamic.Interface, options Options) (p *Plane, err error) {
	p = &Plane{ctx: ctx, client: client, dynamic: others, options: options, quiet: log.New(io.Discard, "", 0), measures: newMeasures(), mirrors: make(chan struct{}, mirrorsAtMost)}
	p.containers = containers{plane: p, runs: map[types.UID]*container{}}
	p.transport = &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	p.reverse = p.newReverse()
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if err = p.containers.claimOctet(); err != nil {
		return p, err
	}
	if err = p.listen(options.GatewayPort); err != nil {
		return p, err
	}
	return p, p.watch()
}

func (p *Plane) listen(gatewayPort int) (err error) {
	for _, one := range []struct {
		listener *net.Listener
		port     int
	}{{&p.Gateway, gatewayPort}, {&p.Proxy, 0}, {&p.Admin, 0}} {
		if *one.listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", one.port)); err != nil {
			return err
		}
	}
	return nil
}

// Close lets go of every address.
func (p *Plane) Close() {
	for _, listener := range []net.Listener{p.Gateway, p.Proxy, p.Admin, p.containers.claim} {
		if listener != nil {
			listener.Close()
		}
	}
}

// Serve answers on the three addresses.
func (p *Plane) Serve() error {
	servers := []*http.Server{}
	ended := make(chan error, 3)
	for listener, handler := range map[net.Listener]http.Handler{
		p.Gateway: http.HandlerFunc(p.gateway), p.Proxy: http.HandlerFunc(p.proxy), p.Admin: p.admin()} {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second, ErrorLog: p.quiet}
		servers = append(servers, server)
		go func() { ended <- server.Serve(listener) }()
	}
	defer p.Close()
	select {
	case err := <-ended:
		if p.ctx.Err() == nil && !errors.Is(err, http.ErrServerClosed) {
			return err
		}
	case <-p.ctx.Done():
	}
	for _, server := range servers {
		server.Close()
	}
	return nil
}

// Describe is one line with all addresses.
func (p *Plane) Describe() string {
	return fmt.Sprintf("gateway http://%s proxy http://%s metrics http://%s pods 127.%d.0.0/16",
		p.Gateway.Addr(), p.Proxy.Addr(), p.Admin.Addr(), p.containers.octet)
}

func (p *Plane) log(format string, values ...any) {
	if p.options.Output != nil {
		fmt.Fprintf(p.options.Output, "data plane: "+format+"\n", values...)
	}
}

// watch follows the cluster; it returns when Services, pods and Ingresses are known.
func (p *Plane) watch() error {
	factory := informers.NewSharedInformerFactoryWithOptions(p.client, 0, informers.WithTransform(slim))
	services, pods, paths := factory.Core().V1().Services(), factory.Core().V1().Pods(), factory.Networking().V1().Ingresses()
	p.world = world{services: services.Lister(), pods: pods.Lister(), listens: p.containers.listens}
	see := func(value any) {
		if pod, ok := value.(*core.Pod); ok {
			p.containers.see(pod)
		}
	}
	if _, err := pods.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, now any) { see(now) },
		DeleteFunc: func(last any) {
			if gone, ok := last.(cache.DeletedFinalStateUnknown); ok {
				last = gone.Obj
			}
			if pod, ok := last.(*core.Pod); ok {
				p.containers.forget(pod.UID)
			}
		}}); err != nil {
		return err
	}
	again := func(any) {
		all, _ := paths.Lister().List(labels.Everything())
		p.routes.replace(ingress, ingresses(all))
	}
	if _, err := paths.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: again, DeleteFunc: again,
		UpdateFunc: func(_, now any) { again(now) }}); err != nil {
		return err
	}
	services.Informer()
	factory.Start(p.ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(p.ctx.Done()) {
		if !synced {
			return fmt.Errorf("%v cannot be listed: %w", kind, p.ctx.Err())
		}
	}
	return p.watchKinds()
}

// slim drops what nobody here reads.
func slim(value any) (any, error) {
	if about, err := meta.Accessor(value); err == nil {
		about.SetManagedFields(nil)
	}
	return value, nil
}

// gateway answers who comes from outside: by Host, else by the name of a Service as inside.
func (p *Plane) gateway(w http.ResponseWriter, r *http.Request) {
	request := newCall(r, "gateway")
	if namespace, _, ok := splitName(request.host, ""); ok && namespace != "" {
		request.service = p.world.service(request.host, "")
	}
	p.lead(w, request)
}
