package cli

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// TestAdmitted: who is let in to the admin API, where no rules judge him.
func TestAdmitted(t *testing.T) {
	for _, tt := range []struct {
		name        string
		local       bool
		token       string // of the configuration
		host, given string
		status      int
	}{
		{"this machine", true, "", "127.0.0.1:9000", "", 200},
		{"this machine over IPv6", true, "", "[::1]:9000", "", 200},
		{"this machine without a port", true, "", "localhost", "", 200},
		{"a page with a name of its own", true, "", "127.0.0.1.example.com:9000", "", 403},
		{"another address without a token", false, "", "127.0.0.1:9000", "", 403},
		{"another address without a token, with one", false, "", "10.0.0.1:9000", "Bearer ", 401},
		{"another address with the token", false, "secret", "10.0.0.1:9000", "Bearer secret", 200},
		{"another name with the token", false, "secret", "gateway.example.com", "Bearer secret", 200},
		{"no token", false, "secret", "127.0.0.1:9000", "", 401},
		{"no token on this machine", true, "secret", "127.0.0.1:9000", "", 401},
		{"a part of the token", true, "secret", "127.0.0.1:9000", "Bearer secre", 401},
		{"the token without its scheme", true, "secret", "127.0.0.1:9000", "secret", 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &service{log: slog.New(slog.DiscardHandler)}
			token := gateway.NewSecret(tt.token)
			s.adminToken.Store(&token)
			s.policies.current = &ruleSet{}
			var caller gateway.Caller
			h := s.admitted(tt.local, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				caller, _ = r.Context().Value(callerKey{}).(gateway.Caller)
				reply(w, http.StatusOK, map[string]string{})
			}))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/policy", nil)
			r.Host = tt.host
			if tt.given != "" {
				r.Header.Set("Authorization", tt.given)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			var body struct {
				Error struct{ Code, Message string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != tt.status || (tt.status != 200) != (body.Error.Code != "" && body.Error.Message != "") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if tt.status == 200 && (len(caller.Roles) != 1 || caller.Roles[0] != roleAdmin) {
				t.Errorf("the caller is %+v", caller)
			}
		})
	}
}
