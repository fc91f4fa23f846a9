package cli

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
)

// listenAdmin serves health checks.
func (s *service) listenAdmin(c *config.Config) error {
	l, err := net.Listen("tcp", c.Admin)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "ready\npolicy %s\nlast reload %s\n", s.holder.Current().Revision(), s.reloadState())
	})
	s.admin = &http.Server{Addr: l.Addr().String(), Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
	s.run(func() {
		if err := s.admin.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the admin server ended", "error", err)
		}
	})
	return nil
}

func (s *service) reloadState() string {
	if s.broken.Load() {
		return "failed, the previous configuration is in force"
	}
	return "good"
}
