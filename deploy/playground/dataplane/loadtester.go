package dataplane

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
)

const (
	startWithin    = 60 * time.Second
	prometheusPort = 9090
)

// loadtester runs the real one for a pod: what it sends to cluster names goes through our proxy, which knows it by the pod's name.
func (c *containers) loadtester(ctx context.Context, one *container, spec *core.Container) error {
	args, asked := loadtesterArgs(append(append([]string{}, spec.Command...), spec.Args...))
	return c.program(ctx, one, append([]int{asked}, numbersOf(spec.Ports)...), func(address string) *exec.Cmd {
		child := exec.CommandContext(ctx, c.plane.options.Serin, append(args, "-listen="+address)...)
		child.Env = c.loadtesterEnv(one.pod)
		return child
	})
}

// prometheus runs one that reads what the plane counts, whatever its own configuration says.
func (c *containers) prometheus(ctx context.Context, one *container, spec *core.Container) error {
	folder, err := os.MkdirTemp("", "playground-prometheus-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	return c.program(ctx, one, append(numbersOf(spec.Ports), prometheusPort), func(address string) *exec.Cmd {
		return exec.CommandContext(ctx, c.plane.options.Prometheus, folder, address, c.plane.Admin.Addr().String())
	})
}

// program runs a child that listens on the first of the ports until it ends; the others are led to the same.
func (c *containers) program(ctx context.Context, one *container, ports []int, command func(address string) *exec.Cmd) error {
	free, err := listenOn(one.address, ports[0])
	if err != nil {
		return err
	}
	address := free.Addr().String()
	free.Close()
	child := command(address)
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = endWithin
	child.Stdout, child.Stderr = c.plane.options.Output, c.plane.options.Output
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	runtime.LockOSThread() // or the child dies with the thread that began it
	defer runtime.UnlockOSThread()
	if err := child.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	for began := time.Now(); time.Since(began) < startWithin; {
		if connection, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			connection.Close()
			for _, number := range ports {
				one.opened(number, address)
			}
			return <-ended
		}
		select {
		case err := <-ended:
			return fmt.Errorf("%s: %v", strings.Join(child.Args, " "), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	child.Process.Kill()
	return fmt.Errorf("%s does not listen on %s: %v", child.Path, address, <-ended)
}

// loadtesterArgs turns a container's command line into one of ours without its port, and gives that.
func loadtesterArgs(line []string) (args []string, asked int) {
	args, asked = []string{"loadtester"}, 9090
	for i := 0; i < len(line); i++ {
		name, value, joined := strings.Cut(strings.TrimLeft(line[i], "-"), "=")
		switch {
		case line[i][:min(1, len(line[i]))] != "-": // the program's name, or a value of what went before
			if i > 0 && line[i] != "loadtester" {
				args = append(args, line[i])
			}
		case name == "port":
			if !joined && i+1 < len(line) {
				i++
				value = line[i]
			}
			if number, err := strconv.Atoi(value); err == nil {
				asked = number
			}
		default:
			args = append(args, line[i])
		}
	}
	return args, asked
}

func numbersOf(ports []core.ContainerPort) (all []int) {
	for _, port := range ports {
		all = append(all, int(port.ContainerPort))
	}
	return all
}

// loadtesterEnv leads commands to the proxy, and to the cluster for kubectl; hey is found among our own tools.
func (c *containers) loadtesterEnv(pod *core.Pod) []string {
	proxy := c.plane.proxyFor(pod).String()
	path := os.Getenv("PATH")
	if c.plane.options.Tools != "" {
		path = c.plane.options.Tools + string(filepath.ListSeparator) + path
	}
	env := []string{"PATH=" + path, "HOME=" + os.TempDir(), "HOSTNAME=" + pod.Name, "http_proxy=" + proxy, "HTTP_PROXY=" + proxy,
		"no_proxy=127.0.0.1,localhost", "KUBECONFIG=" + c.plane.options.Kubeconfig}
	for _, name := range []string{"LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS"} {
		if value, found := os.LookupEnv(name); found {
			env = append(env, name+"="+value)
		}
	}
	return env
}
