package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"serin.dev/playground/faults"
)

// proxy runs the proxy alone until a signal.
func proxy(args []string) error {
	flags := flag.NewFlagSet("proxy", flag.ExitOnError)
	dir := flags.String("dir", "", "directory of a cluster that is up: reads its kubeconfig, writes kubeconfig-faulty beside it")
	from := flags.String("kubeconfig", "", "or: kubeconfig of any cluster")
	to := flags.String("out", "", "and: the kubeconfig to write")
	http1 := flags.Bool("http1", false, "offer HTTP/1.1 only")
	flags.Parse(args)
	if *dir != "" && *from == "" {
		*from = filepath.Join(*dir, "kubeconfig")
	}
	if *dir != "" && *to == "" {
		*to = filepath.Join(*dir, "kubeconfig-faulty")
	}
	if *from == "" || *to == "" {
		return fmt.Errorf("--dir, or --kubeconfig and --out, are required")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 2)
	stopProxy, err := startProxy(*from, *to, *http1, ended)
	if err != nil {
		return err
	}
	defer stopProxy()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// startProxy puts the proxy before the cluster of a kubeconfig, writes a kubeconfig that leads through it, and prints that
// kubeconfig's path and the address on which faults are armed.
func startProxy(from, to string, http1 bool, ended chan<- error) (stop func(), err error) {
	config, err := clientcmd.BuildConfigFromFlags("", from)
	if err != nil {
		return nil, err
	}
	target, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	certificate, authority, err := faults.Certificate()
	if err != nil {
		return nil, err
	}
	if to, err = filepath.Abs(to); err != nil {
		return nil, err
	}
	if err := os.WriteFile(to+".crt", authority, 0o600); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	admin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	upstream := faults.Upstream{URL: &url.URL{Scheme: target.Scheme, Host: target.Host}, TLS: tlsConfig, Token: config.BearerToken}
	through := faults.New(upstream, listener, certificate, http1)
	if err := writeKubeconfig(to, "https://"+listener.Addr().String(), to+".crt", config.BearerToken); err != nil {
		return nil, err
	}
	go func() { ended <- through.Serve() }()
	go func() { ended <- http.Serve(admin, through.Admin()) }()
	fmt.Printf("%s\nhttp://%s\n", to, admin.Addr())
	return through.Close, nil
}
