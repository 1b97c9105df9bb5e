package dataplane

import (
	"io"
	"net"
	"net/http"
	"time"
)

const dialWithin = 5 * time.Second

// tunnel leads a connection to a pod's port that speaks gRPC, and to no other: what goes over HTTP is asked for by its http:// address,
// so that routes and metrics know of it.
func (p *Plane) tunnel(w http.ResponseWriter, r *http.Request) {
	request := newCall(r, "proxy")
	request.fromName, _ = caller(r.Header.Get("Proxy-Authorization"))
	request.service = p.world.service(request.host, request.fromName)
	if request.service == nil {
		http.Error(w, p.unknown(request), http.StatusBadGateway)
		return
	}
	var ends []endpoint
	port := servicePort(request.service, request.port, true)
	if port != nil {
		ends = p.world.endpoints(request.service, port)
	}
	switch {
	case port != nil && len(ends) == 0:
		http.Error(w, errNobody.Error(), http.StatusServiceUnavailable)
		return
	case port == nil || !speaksGRPC(ends[0].pod, targetOf(ends[0].pod, port)):
		http.Error(w, "CONNECT is for ports called grpc alone: ask for http:// addresses of all others, not https://", http.StatusMethodNotAllowed)
		return
	}
	to, err := net.DialTimeout("tcp", ends[0].address, dialWithin)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	if _, err := io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	ended := make(chan struct{}, 2)
	go func() { io.Copy(to, buffered); ended <- struct{}{} }()
	go func() { io.Copy(from, to); ended <- struct{}{} }()
	select {
	case <-ended:
	case <-p.ctx.Done():
	}
}
