// Command mock plays an LLM provider on loopback until it gets SIGTERM. Its
// first line of output is its address. What it can play is in package mock;
// GET /_mock/log and /_mock/stats tell what it has seen.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/attache-gateway/attache/bench/mock"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o := mock.Options{Recordings: make(map[string]*mock.Recording)}
	flags := flag.NewFlagSet("mock", flag.ContinueOnError)
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:0", "`host:port`")
	flags.StringVar(&o.Name, "name", "mock", "name said in answers")
	dialect := flags.String("dialect", "all", "openai, responses, anthropic, gemini, bedrock or all")
	flags.IntVar(&o.Log, "log", 64, "requests kept for /_mock/log")
	flags.BoolVar(&o.Bench, "bench", false, "no log, and no check that bodies are valid JSON")
	flags.Func("recording", "`file` to load; its name without .json is for -replay (repeatable)", func(path string) (err error) {
		o.Recordings[strings.TrimSuffix(filepath.Base(path), ".json")], err = mock.LoadRecording(path)
		return err
	})
	for _, s := range mock.Settings {
		flags.Func(s.Name, s.Help, func(v string) error { return o.Behaviour.Set(s.Name, v) })
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.Dialect = mock.Dialect(*dialect)
	server, err := mock.Start(o)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, server.Addr())
	<-ctx.Done()
	return server.Close()
}
