package faults

import (
	"fmt"
	"net"
	"sync"
)

// gate is a listener whose server can be gone: connections end at once ("refuse") or are taken and never answered ("hang").
type gate struct {
	net.Listener
	counts *Counts

	mu   sync.Mutex
	how  string
	open map[*connection]bool
	back chan struct{} // closed when the server is back
}

type connection struct {
	net.Conn
	gate *gate
	once sync.Once
}

func newGate(listener net.Listener, counts *Counts) *gate {
	return &gate{Listener: listener, counts: counts, open: map[*connection]bool{}}
}

func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		refuse := g.how == "refuse"
		tracked := &connection{Conn: conn, gate: g}
		if !refuse {
			g.open[tracked] = true
		}
		g.mu.Unlock()
		if refuse {
			reset(conn)
			continue
		}
		g.counts.connected()
		return tracked, nil
	}
}

// Read waits while the server hangs: what arrives is not looked at.
func (c *connection) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	c.gate.wait()
	return n, err
}

// Write waits while the server hangs: nothing leaves.
func (c *connection) Write(data []byte) (int, error) {
	c.gate.wait()
	return c.Conn.Write(data)
}

func (c *connection) Close() error {
	c.once.Do(func() {
		c.gate.mu.Lock()
		delete(c.gate.open, c)
		c.gate.mu.Unlock()
	})
	return c.Conn.Close()
}

func (g *gate) wait() {
	g.mu.Lock()
	back := g.back
	g.mu.Unlock()
	if back != nil {
		<-back
	}
}

// leave makes the server be gone, or be back with "".
func (g *gate) leave(how string) error {
	if how != "" && how != "refuse" && how != "hang" {
		return fmt.Errorf("gone is %q, not refuse or hang", how)
	}
	g.mu.Lock()
	if g.back != nil {
		close(g.back)
		g.back = nil
	}
	if how == "hang" {
		g.back = make(chan struct{})
	}
	g.how = how
	g.mu.Unlock()
	if how == "refuse" {
		g.cut()
	}
	return nil
}

func (g *gate) isGone() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.how
}

// cut ends every connection there is.
func (g *gate) cut() {
	g.mu.Lock()
	open := make([]*connection, 0, len(g.open))
	for one := range g.open {
		open = append(open, one)
	}
	g.mu.Unlock()
	for _, one := range open {
		reset(one)
	}
}

// reset ends a connection the hard way.
func reset(conn net.Conn) {
	inner := conn
	if tracked, ok := conn.(*connection); ok {
		inner = tracked.Conn
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
