package dataplane

import (
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	core "k8s.io/api/core/v1"
)

func isGRPC(port core.ContainerPort) bool { return strings.Contains(port.Name, "grpc") }

func speaksGRPC(pod *core.Pod, number int) bool {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if int(port.ContainerPort) == number {
				return isGRPC(port)
			}
		}
	}
	return false
}

// grpc answers the health checks of gRPC for the whole and for podinfo's service, over HTTP/2 without TLS.
func (p *podinfo) grpc() *http.Server {
	checks := health.NewServer()
	checks.SetServingStatus(p.service, grpc_health_v1.HealthCheckResponse_SERVING)
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, checks)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: server, Protocols: protocols}
}
