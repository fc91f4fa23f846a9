package cli

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// listenAdmin serves health checks, metrics and the admin API.
func (s *service) listenAdmin(c *config.Config) error {
	l, err := net.Listen("tcp", c.Admin)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	s.adminToken.Store(&c.AdminToken)
	local := false
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		local = a.IP.IsLoopback()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "ready\npolicy %s\nlast reload %s\n", s.holder.Current().Revision(), s.reloadState())
	})
	if c.Telemetry.Prometheus {
		s.metrics.Watch(s.state)
		mux.Handle("GET /metrics", s.metrics.Handler())
	}
	pages := http.NewCrossOriginProtection()
	pages.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "other_origin", "pages of other sites may not call this")
	}))
	mux.Handle("/api/", pages.Handler(s.admitted(local, s.api())))
	s.admin = &http.Server{Addr: l.Addr().String(), Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	s.run(func() {
		if err := s.admin.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the admin server ended", "error", err)
		}
	})
	return nil
}

func (s *service) reloadState() string {
	if s.policies.lastLoad().Error != "" {
		return "failed, the previous configuration is in force"
	}
	return "good"
}

// api is the admin API. Its errors are JSON as well.
func (s *service) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/limits", s.showLimits)
	mux.HandleFunc("GET /api/policy", s.showPolicy)
	mux.HandleFunc("POST /api/policy/promote", s.promotePolicy)
	for path, method := range map[string]string{"/api/limits": http.MethodGet, "/api/policy": http.MethodGet, "/api/policy/promote": http.MethodPost} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", method)
			refuse(w, http.StatusMethodNotAllowed, "unknown_path", "this path takes "+method)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "unknown_path", "there is no such path")
	})
	return mux
}

// A callerKey is the key of the caller in the context of a call.
type callerKey struct{}

// roleAdmin is what the holder of the admin token is, and who reaches a gateway
// without one from the same machine.
const roleAdmin = "admin"

// admitted lets through whom the configuration and the rules about the admin API
// do not refuse.
func (s *service) admitted(local bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, refused := s.adminCaller(local, r)
		if refused != nil {
			refuse(w, refused.Status, refused.Code, refused.Message)
			return
		}
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = ""
		}
		if live := s.policies.inForce().live; live != nil {
			now := time.Now().In(s.counting.bounds.Load().zone)
			f := &gateway.Facts{Now: now, Caller: caller, Address: host, Admin: &gateway.AdminCall{Method: r.Method, Path: r.URL.Path}}
			denial, err := live.Admit(r.Context(), f)
			if err != nil || denial != nil {
				s.holder.Current().Refused(live, f, denial, err, time.Since(f.Now))
			}
			switch {
			case err != nil:
				s.log.Error("the rules about the admin API failed", "error", err)
				refuse(w, http.StatusInternalServerError, llm.CodePolicyError, "the rules about the admin API failed")
				return
			case denial != nil:
				refuse(w, denial.Status, denial.Code, denial.Message)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
	})
}

// adminCaller says who calls the admin API: the holder of the admin token, the
// owner of a key of the gateway if there are rules that judge him, or, without a
// token, anybody on this machine.
func (s *service) adminCaller(local bool, r *http.Request) (gateway.Caller, *llm.Error) {
	admin := gateway.Caller{Roles: []string{roleAdmin}}
	want := *s.adminToken.Load()
	given, sent := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case sent && !want.Empty() && subtle.ConstantTimeCompare([]byte(given), []byte(want.Reveal())) == 1:
		return admin, nil
	case sent && s.policies.inForce().judgesAdmins():
		return s.holder.Current().Identify(gateway.NewSecret(given))
	case sent:
		return gateway.Caller{}, &llm.Error{Status: http.StatusUnauthorized, Code: llm.CodeInvalidKey, Message: "this is not the admin token"}
	case want.Empty() && local && isLocal(r.Host):
		return admin, nil
	case want.Empty():
		return gateway.Caller{}, &llm.Error{Status: http.StatusForbidden, Code: llm.CodeInvalidKey, Message: "without an admin_token in the configuration this API serves programs on the gateway's own machine alone"}
	}
	return gateway.Caller{}, &llm.Error{Status: http.StatusUnauthorized, Code: llm.CodeMissingKey, Message: "send the admin token as Authorization: Bearer TOKEN"}
}

// isLocal reports whether the Host of a request is this machine. A web page that
// resolves its own name to this machine cannot pretend that.
func isLocal(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	type fault struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	reply(w, status, map[string]fault{"error": {code, message}})
}

func reply(w http.ResponseWriter, status int, body any) {
	b, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error": {"code": "internal", "message": "the answer cannot be written"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the caller has gone
}
