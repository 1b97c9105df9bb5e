package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const lowestPort = 12000

// ports hands out loopback ports that no other run is given while this one lives: a lock on a file for each port says whose it is
// (the tests' scripts use the same files), and the ports lie below those that the system hands to outgoing connections, any of which
// may take a port between our look and its use.
type ports struct {
	locks []*os.File // held until the end
}

func (p *ports) release() {
	for _, lock := range p.locks {
		lock.Close()
	}
	p.locks = nil
}

// take reserves that port, if it is free.
func (p *ports) take(port int) error {
	folder := filepath.Join(os.TempDir(), fmt.Sprintf("serin-ports.%d", os.Getuid()))
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(folder, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return fmt.Errorf("port %d is another run's", port)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		lock.Close()
		return err
	}
	listener.Close()
	p.locks = append(p.locks, lock)
	return nil
}

// any reserves some free port.
func (p *ports) any() (int, error) {
	var err error
	beyond := firstOutgoingPort()
	for range 1000 {
		port := lowestPort + rand.IntN(beyond-lowestPort)
		if err = p.take(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d: %w", lowestPort, beyond-1, err)
}

func firstOutgoingPort() int {
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if first, err := strconv.Atoi(strings.Fields(string(text))[0]); err == nil && first > lowestPort+2000 {
			return first
		}
	}
	return 32000
}
