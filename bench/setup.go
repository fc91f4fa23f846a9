package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/attache-gateway/attache/bench/mock"
	"github.com/attache-gateway/attache/extproc/envoytest"
)

// module is where the programs to measure are built from.
const module = "github.com/attache-gateway/attache"

const envoyVersion = "1.40"

// The servers to compare with.
const (
	plainName = "plain Envoy"
	floorName = "floor"
)

// A bench is everything that runs while it measures. The mock provider and the
// load generator are in this process, whose time counts for nobody.
type bench struct {
	dir      string
	provider *mock.Server
	servers  []*server
	variants []variant
	progress io.Writer
}

// A server is one Envoy, with or without an ext_proc server.
type server struct {
	name  string
	envoy *envoytest.Envoy
	proc  *process    // nil: none
	key   http.Header // what clients send
}

// A variant is one way of a request through one server: a row of the results.
type variant struct {
	*server
	name   string
	models []string // what the client asks for; each gets the scenario's behaviour
	hidden bool     // the client does not ask for the usage of a stream
	unary  bool     // takes part in scenarios without streams
}

// setUp builds and starts everything. against may name another build of
// attache.
func setUp(ctx context.Context, against string, progress io.Writer) (_ *bench, err error) {
	b := &bench{progress: progress}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	if b.provider, err = mock.Start(mock.Options{Bench: true}); err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "building")
	attache, floor := filepath.Join(b.dir, "attache"), filepath.Join(b.dir, "floor")
	for path, pkg := range map[string]string{attache: module + "/extproc", floor: module + "/bench/floor"} {
		if _, err := output(ctx, "go", "build", "-o", path, pkg); err != nil {
			return nil, err
		}
	}
	config, err := b.startAttache(ctx, "Attaché", attache)
	if err != nil {
		return nil, err
	}
	if against != "" {
		if _, err := b.startAttache(ctx, filepath.Base(against), against); err != nil {
			return nil, err
		}
	}
	return b, b.startReferences(ctx, config, floor)
}

// startReferences starts plain Envoy and the floor. They come first in the
// results.
func (b *bench) startReferences(ctx context.Context, config []byte, floor string) error {
	socket := filepath.Join(b.dir, "floor.sock")
	proc, err := serve(ctx, socket, floor, socket)
	if err != nil {
		return err
	}
	key := http.Header{"Authorization": {"Bearer key-of-provider"}}
	plain, answering := &server{name: plainName, key: key}, &server{name: floorName, key: key, proc: proc}
	b.servers = append([]*server{plain, answering}, b.servers...)
	for s, socket := range map[*server]string{plain: "", answering: socket} {
		c, err := reference(config, "openai", socket)
		if err != nil {
			return err
		}
		if s.envoy, err = envoytest.New(ctx, c, envoytest.Options{Version: envoyVersion}); err != nil {
			return err
		}
	}
	b.variants = append([]variant{
		{server: plain, name: plain.name, models: []string{"m"}, unary: true},
		{server: answering, name: answering.name, models: []string{"m"}, unary: true},
	}, b.variants...)
	return nil
}

// attacheYAML has all on that the gateway does for every request: keys, the
// shipped policy and the ledger. 65535 stands for a port of the kernel's
// choice. The policy's deadline is long because it is one of the clock: where
// client, provider and Envoy fight for two CPUs, a decision can wait that long.
const attacheYAML = `listen: unix:attache.sock
admin: 127.0.0.1:0
envoy: {port: 65535, admin: "127.0.0.1:0", version: %q}
providers:
  openai: {kind: openai, url: %[2]q, key: key-of-provider, models: ["m*"]}
  second: {kind: openai, url: %[2]q, key: key-of-provider}
  bunches: {kind: openai, url: %[2]q, key: key-of-provider, usage: observe}
  anthropic: {kind: anthropic, url: %[3]q, key: key-of-provider}
auth: {mode: keys, file: keys.json}
policy: {dir: %[4]q, deadline: 1s}
ledger: {sqlite: ledger.db}
`

// startAttache starts a build of attache with its Envoy, and returns the
// configuration that it printed for that.
func (b *bench) startAttache(ctx context.Context, name, binary string) ([]byte, error) {
	root, err := moduleDir(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "attache.yaml")
	policies := filepath.Join(root, "policies")
	text := fmt.Sprintf(attacheYAML, envoyVersion, b.provider.URL()+"/v1", b.provider.URL(), policies)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	key, err := output(ctx, binary, "keys", "new", "-c", file, "-name", "bench", "-team", "bench")
	if err != nil {
		return nil, err
	}
	s := &server{name: name, key: http.Header{"Authorization": {"Bearer " + strings.TrimSpace(string(key))}}}
	b.servers = append(b.servers, s)
	if s.proc, err = serve(ctx, filepath.Join(dir, "attache.sock"), binary, "serve", "-c", file); err != nil {
		return nil, err
	}
	config, err := output(ctx, binary, "envoy", "-c", file)
	if err != nil {
		return nil, err
	}
	config = bytes.Replace(config, []byte("port_value: 65535"), []byte("port_value: 0"), 1)
	if s.envoy, err = envoytest.New(ctx, config, envoytest.Options{Version: envoyVersion}); err != nil {
		return nil, err
	}
	b.variants = append(b.variants,
		variant{server: s, name: name + ", passed through", models: []string{"m"}, unary: true},
		variant{server: s, name: name + ", passed through, observed", models: []string{"bunches/m"}},
		variant{server: s, name: name + ", passed through, usage hidden", models: []string{"m"}, hidden: true},
		variant{server: s, name: name + ", translated to Anthropic", models: []string{"anthropic/m"}, unary: true},
		variant{server: s, name: name + ", with a fallback", models: []string{"openai/m", "second/m"}, unary: true},
	)
	return config, nil
}

// moduleDir is where the sources are.
func moduleDir(ctx context.Context) (string, error) {
	dir, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	return strings.TrimSpace(string(dir)), err
}

// output runs a command to its end.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, exit.Stderr)
	}
	return out, err
}

func (b *bench) close() {
	for _, s := range b.servers {
		if s.envoy != nil {
			s.envoy.Close()
		}
		if s.proc != nil {
			s.proc.close()
		}
	}
	if b.provider != nil {
		b.provider.Close()
	}
	os.RemoveAll(b.dir)
}
