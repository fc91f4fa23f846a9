package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/render"
)

// envoy prints the configuration for Envoy.
func (p *Program) envoy(_ context.Context, args []string) error {
	f := p.flags("envoy")
	file := f.String("c", "", "configuration `file`")
	version := f.String("for", "", "`version` of Envoy, 1.40 or 1.39; what the file says by default")
	if err := parse(f, args); err != nil {
		return err
	}
	if *version != "" && *version != config.V140 && *version != config.V139 {
		return fmt.Errorf("%w: --for takes 1.40 or 1.39", errUsage)
	}
	c, err := p.load(*file)
	if err != nil {
		return err
	}
	if *version != "" {
		c.Envoy.Version = *version
	}
	text, err := p.render(c)
	if err != nil {
		return err
	}
	_, err = p.Stdout.Write(text)
	return err
}

// render writes Envoy's configuration.
func (p *Program) render(c *config.Config) ([]byte, error) {
	in := render.Input{
		Version: c.Envoy.Version, Address: c.Envoy.Address, Port: c.Envoy.Port, Admin: c.Envoy.Admin,
		ExtProc: c.Listen.String(), MaxRequest: c.Envoy.MaxRequest,
		Backoff:    render.Backoff{Base: c.Envoy.RetryBackoff, Max: 10 * c.Envoy.RetryBackoff},
		StreamIdle: c.Envoy.StreamIdle, RequestTimeout: c.Envoy.RequestTimeout,
	}
	tls := false
	for i := range c.Providers {
		cl, err := cluster(&c.Providers[i])
		if err != nil {
			return nil, err
		}
		tls = tls || cl.TLS
		in.Clusters = append(in.Clusters, cl)
	}
	if tls {
		var err error
		if in.CABundle, err = caBundle(p.Env); err != nil {
			return nil, err
		}
	}
	return render.Envoy(in)
}

func cluster(p *config.Provider) (render.Cluster, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return render.Cluster{}, fmt.Errorf("provider %s: its url cannot be read", p.Name)
	}
	cl := render.Cluster{Name: p.Name, Host: u.Hostname(), TLS: u.Scheme == "https", Port: 80, Usage: p.Native}
	if cl.TLS {
		cl.Port, cl.SNI = 443, u.Hostname()
	}
	if port := u.Port(); port != "" {
		if cl.Port, err = strconv.Atoi(port); err != nil {
			return cl, fmt.Errorf("provider %s: port %q", p.Name, port)
		}
	}
	if net.ParseIP(cl.Host) != nil {
		cl.SNI = ""
	}
	if p.By == config.ByEnvoy {
		cl.Key = render.Key{File: p.SDSFile, Header: p.Auth.Header, Prefix: p.Auth.Prefix}
	}
	return cl, nil
}

// bundles are where systems keep the certificates that they trust.
var bundles = [...]string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Alpine, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // CentOS
	"/etc/ssl/cert.pem",                                 // macOS, FreeBSD
}

func caBundle(env func(string) (string, bool)) (string, error) {
	if path, ok := env("SSL_CERT_FILE"); ok {
		return path, nil
	}
	for _, path := range bundles {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no bundle of trusted certificates found; name one in SSL_CERT_FILE")
}
