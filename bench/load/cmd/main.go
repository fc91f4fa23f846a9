// Command load sends HTTP requests in closed loops and prints what it
// measured. See package load.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/attache-gateway/attache/bench/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run fails if any request did.
func run(ctx context.Context, args []string, out io.Writer) error {
	s := load.Spec{Header: make(http.Header)}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.StringVar(&s.URL, "url", "", "where to post to")
	flags.IntVar(&s.Connections, "connections", 1, "keep-alive connections, each with one request at a time")
	flags.IntVar(&s.Requests, "requests", 0, "requests to send, 0 for no limit")
	flags.DurationVar(&s.Duration, "duration", 0, "time to start requests in, 0 for no limit")
	flags.DurationVar(&s.Ramp, "ramp", 0, "time over which the connections start")
	flags.DurationVar(&s.Timeout, "timeout", 0, "of one request (default 1m)")
	flags.StringVar(&s.Want, "want", "", "text that must be in every answer")
	flags.Func("header", "`name: value` to add (repeatable)", func(v string) error {
		name, value, ok := strings.Cut(v, ":")
		if !ok {
			return errors.New("no colon")
		}
		s.Header.Add(name, strings.TrimSpace(value))
		return nil
	})
	body := flags.String("body", "", "`file` to post instead of a chat request")
	model := flags.String("model", "m", "of the chat request")
	size := flags.Int("size", 800, "of the chat request, in bytes")
	stream := flags.Bool("stream", false, "ask for a stream")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.Body = load.Chat(*model, *size, *stream)
	if *body != "" {
		var err error
		if s.Body, err = os.ReadFile(*body); err != nil {
			return err
		}
	}
	result, err := load.Run(ctx, s)
	if err != nil {
		return err
	}
	if *asJSON {
		err = json.NewEncoder(out).Encode(result)
	} else {
		err = report(out, result)
	}
	if err == nil && result.Errors > 0 {
		err = fmt.Errorf("%d requests failed, the first with: %s", result.Errors, result.FirstError)
	}
	return err
}

func report(out io.Writer, r load.Result) error {
	_, err := fmt.Fprintf(out, "%d requests, %d errors, %.0f/s, %d bytes in %v\n", r.Requests, r.Errors, r.PerSecond(), r.Bytes, r.Elapsed)
	for _, line := range []struct {
		name string
		q    load.Quantiles
	}{{"latency", r.Latency}, {"first byte", r.FirstByte}} {
		if err == nil {
			_, err = fmt.Fprintf(out, "%-10s  p50 %v  p90 %v  p99 %v  max %v\n", line.name, line.q.P50, line.q.P90, line.q.P99, line.q.Max)
		}
	}
	return err
}
