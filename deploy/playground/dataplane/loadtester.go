package dataplane

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
)

const startWithin = 20 * time.Second

// loadtester runs the real one for a pod: what it sends to cluster names goes through our proxy, which knows it by the pod's name.
func (c *containers) loadtester(ctx context.Context, one *container, spec *core.Container) error {
	args, asked := loadtesterArgs(append(append([]string{}, spec.Command...), spec.Args...))
	free, err := listenOn(one.address, asked)
	if err != nil {
		return err
	}
	address := free.Addr().String()
	free.Close()
	args = append(args, "-listen="+address)
	child := exec.CommandContext(ctx, c.plane.options.Serin, args...)
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = endWithin
	child.Env = c.loadtesterEnv(one.pod)
	child.Stdout, child.Stderr = c.plane.options.Output, c.plane.options.Output
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := child.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	for began := time.Now(); time.Since(began) < startWithin; {
		if connection, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			connection.Close()
			for _, number := range append([]int{asked}, numbersOf(spec.Ports)...) {
				one.opened(number, address)
			}
			return <-ended
		}
		select {
		case err := <-ended:
			return fmt.Errorf("%s %s: %v", c.plane.options.Serin, strings.Join(args, " "), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	child.Process.Kill()
	return fmt.Errorf("%s does not listen on %s: %v", c.plane.options.Serin, address, <-ended)
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
	proxy := (&url.URL{Scheme: "http", User: url.UserPassword(pod.Namespace, pod.Name), Host: c.plane.Proxy.Addr().String()}).String()
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
