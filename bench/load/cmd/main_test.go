package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/bench/load"
	"github.com/attache-gateway/attache/bench/mock"
)

func TestRun(t *testing.T) {
	s, err := mock.Start(mock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	url := s.URL() + "/v1/messages"
	var out bytes.Buffer
	args := []string{"-url", url, "-header", "Anthropic-Version: 2023-06-01", "-requests", "3", "-stream", "-want", "message_stop"}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "3 requests, 0 errors") || !strings.Contains(out.String(), "first byte  p50 ") {
		t.Errorf("output %s", out.String())
	}

	body := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(body, []byte(`{"model":"from-file@fault=503"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	err = run(t.Context(), append(args, "-body", body, "-json"), &out)
	var result load.Result
	if jsonErr := json.Unmarshal(out.Bytes(), &result); jsonErr != nil || result.Errors != 3 || err == nil {
		t.Errorf("result %+v, %v, %v", result, jsonErr, err)
	}
	if log := s.Log(); !strings.Contains(string(log[len(log)-1].Body), "from-file") {
		t.Errorf("the file was not sent: %s", log[len(log)-1].Body)
	}
}

func TestRunRefusesArguments(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"-url", "http://127.0.0.1:1/"},
		{"-header", "no colon"},
		{"-body", "missing"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("run(%q) succeeded", args)
		}
	}
}
