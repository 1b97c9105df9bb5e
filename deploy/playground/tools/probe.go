package tools

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Probe asks a gRPC service for its health as grpc_health_probe does, for the flags that canaries' acceptance tests use.
func Probe(args []string) error {
	flags := flag.NewFlagSet("grpc_health_probe", flag.ExitOnError)
	address := flags.String("addr", "", "host:port")
	service := flags.String("service", "", "name of the service (none: the whole server)")
	connect := flags.Duration("connect-timeout", time.Second, "for the connection")
	answer := flags.Duration("rpc-timeout", time.Second, "for the answer")
	flags.Parse(args)
	if *address == "" || flags.NArg() != 0 {
		return fmt.Errorf("usage: grpc_health_probe -addr HOST:PORT [-service NAME] [-connect-timeout DURATION] [-rpc-timeout DURATION]")
	}
	client, err := grpc.NewClient("passthrough:///"+*address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, to string) (net.Conn, error) { return dial(ctx, to, *connect) }))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), *connect+*answer)
	defer cancel()
	said, err := grpc_health_v1.NewHealthClient(client).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: *service})
	if err != nil {
		return fmt.Errorf("%s: %w", *address, err)
	}
	if said.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("service unhealthy (responded with %q)", said.Status)
	}
	fmt.Printf("status: %s\n", said.Status)
	return nil
}

// dial connects by the proxy of the environment, if there is one.
func dial(ctx context.Context, address string, within time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	proxy, err := httpproxy.FromEnvironment().ProxyFunc()(&url.URL{Scheme: "http", Host: address})
	if err != nil {
		return nil, err
	}
	to := address
	if proxy != nil {
		to = proxy.Host
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
	if err != nil || proxy == nil {
		return connection, err
	}
	connection.SetDeadline(time.Now().Add(within))
	through := &tunnelled{connection, bufio.NewReader(connection)}
	if err := through.open(proxy, address); err != nil {
		connection.Close()
		return nil, err
	}
	connection.SetDeadline(time.Time{})
	return through, nil
}

// tunnelled reads on where the proxy's answer ended.
type tunnelled struct {
	net.Conn
	reader *bufio.Reader
}

func (t *tunnelled) Read(into []byte) (int, error) { return t.reader.Read(into) }

func (t *tunnelled) open(proxy *url.URL, address string) error {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		basic := &http.Request{Header: http.Header{}}
		basic.SetBasicAuth(proxy.User.Username(), password)
		request.Header.Set("Proxy-Authorization", basic.Header.Get("Authorization"))
	}
	if err := request.Write(t); err != nil {
		return err
	}
	answer, err := http.ReadResponse(t.reader, request)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, answer.Status)
	}
	return nil
}
