package tools

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const messageLimit = 1 << 20

// message is what a Slack webhook is sent, as far as it is shown.
type message struct {
	Channel     string
	Text        string
	Attachments []struct {
		Author string `json:"author_name"`
		Text   string
		Color  string
		Fields []struct{ Title, Value string }
	}
}

// Slack receives alerts as Slack's incoming webhooks do and writes each as a line.
func Slack(args []string) error {
	flags := flag.NewFlagSet("slack", flag.ExitOnError)
	port := flags.Int("port", 0, "port on 127.0.0.1 (0: any)")
	to := flags.String("out", "", "file to add lines to (stdout if empty)")
	flags.Parse(args)
	out := io.Writer(os.Stdout)
	if *to != "" {
		file, err := os.OpenFile(*to, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		out = file
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/\n", listener.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: slackHandler(out), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func slackHandler(out io.Writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got message
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, messageLimit)).Decode(&got); err != nil {
			http.Error(w, "invalid_payload", http.StatusBadRequest)
			return
		}
		var line strings.Builder
		fmt.Fprintf(&line, "%s #%s", time.Now().Format(time.TimeOnly), got.Channel)
		if got.Text != "" {
			fmt.Fprintf(&line, " %s", got.Text)
		}
		for _, one := range got.Attachments {
			fmt.Fprintf(&line, " [%s] %s: %s", one.Color, one.Author, one.Text)
			for _, field := range one.Fields {
				fmt.Fprintf(&line, "; %s: %s", field.Title, field.Value)
			}
		}
		fmt.Fprintln(out, strings.Map(printable, line.String()))
		io.WriteString(w, "ok")
	})
}

// printable keeps a message on its line and away from the terminal's controls.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}
