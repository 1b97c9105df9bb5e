package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"
	"serin.dev/playground/dataplane"
)

// meshFlags are what both up and mesh take.
func meshFlags(flags *flag.FlagSet) *dataplane.Options {
	options := &dataplane.Options{Output: os.Stderr}
	flags.IntVar(&options.GatewayPort, "mesh-port", 0, "port of the gateway on 127.0.0.1 (0: any)")
	flags.StringVar(&options.Serin, "serin", "", "program that pods of flagger-loadtester run (none: they do not answer)")
	flags.StringVar(&options.Prometheus, "prometheus", "", "program that pods of prometheus run: scripts/lib/prometheus.sh (none: they do not answer)")
	return options
}

// mesh runs the data plane alone until a signal, beside a cluster with our kubelet.
func mesh(args []string) error {
	flags := flag.NewFlagSet("mesh", flag.ExitOnError)
	options := meshFlags(flags)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig of the cluster")
	flags.Parse(args)
	if *kubeconfig == "" {
		return fmt.Errorf("--kubeconfig is required")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	end, err := startMesh(ctx, *kubeconfig, options, ended)
	if err != nil {
		return err
	}
	defer end()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// startMesh starts the data plane and prints its addresses on one line.
func startMesh(ctx context.Context, kubeconfig string, options *dataplane.Options, ended chan<- error) (end func(), err error) {
	if options.Kubeconfig, err = filepath.Abs(kubeconfig); err != nil {
		return nil, err
	}
	for name, program := range map[string]*string{"serin": &options.Serin, "prometheus": &options.Prometheus} {
		if *program == "" {
			continue
		}
		if *program, err = filepath.Abs(*program); err != nil {
			return nil, err
		}
		if _, err := os.Stat(*program); err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", options.Kubeconfig)
	if err != nil {
		return nil, err
	}
	if options.Tools, err = makeTools(); err != nil {
		return nil, err
	}
	plane, err := dataplane.Start(ctx, config, *options)
	if err != nil {
		os.RemoveAll(options.Tools)
		return nil, fmt.Errorf("data plane: %w", err)
	}
	fmt.Println(plane.Describe())
	go func() { ended <- plane.Serve() }()
	return func() {
		plane.Close()
		os.RemoveAll(options.Tools)
	}, nil
}

// makeTools is a folder in which this program has the names of the tools that it is, too.
func makeTools() (folder string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if folder, err = os.MkdirTemp("", "playground-tools-"); err != nil {
		return "", err
	}
	for _, name := range []string{"hey", "grpc_health_probe"} {
		if err := os.Symlink(self, filepath.Join(folder, name)); err != nil {
			return folder, err
		}
	}
	return folder, nil
}
