package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/attache-gateway/attache/bench/load"
)

// A scenario is one kind of request: a column of the results.
type scenario struct {
	name, title string
	connections int
	size        int    // of the request, in bytes
	stream      bool   // the client asks for one
	behaviour   string // of the mock provider, behind the model's name
	paced       bool   // for two seconds at least, since a stream takes one
}

// Requests of 0.8 KB have replies of 1 KB.
const (
	small   = 800
	large   = 64 << 10
	crowd   = 16  // connections that keep Envoy and server busy
	streams = 200 // open at once
)

var scenarios = []scenario{
	{name: "small-1", title: "small, one connection", connections: 1, size: small, behaviour: "@bytes=500"},
	{name: "small", title: "small", connections: crowd, size: small, behaviour: "@bytes=500"},
	{name: "large-1", title: "64 KB, one connection", connections: 1, size: large, behaviour: "@bytes=500"},
	{name: "large", title: "64 KB", connections: crowd, size: large, behaviour: "@bytes=500"},
	{name: "stream-1", title: "100 events, one connection", connections: 1, size: small, stream: true, behaviour: "@events=100"},
	{name: "stream", title: "100 events", connections: crowd, size: small, stream: true, behaviour: "@events=100"},
	{name: "paced", title: "50 events, 20 ms apart", connections: streams, size: small, stream: true, behaviour: "@events=50@gap=20ms", paced: true},
}

func scenarioNames() (names []string) {
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return append(names, policyName)
}

// choose returns the named scenarios, and whether the policy is named. No names
// are all.
func choose(names string) (chosen []scenario, policy bool, err error) {
	if names == "" {
		return scenarios, true, nil
	}
	for _, name := range strings.Split(names, ",") {
		if name == policyName {
			policy = true
			continue
		}
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, false, fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(scenarioNames(), ", "))
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, policy, nil
}

// has reports whether the variant takes part. A second target changes nothing
// that depends on the length of a request or of a response.
func (s *scenario) has(v *variant) bool {
	return (s.stream || v.unary) && (len(v.models) == 1 || s.size == small && !s.paced)
}

// spec is the load on a variant for about the time d.
func (s *scenario) spec(v *variant, d time.Duration) load.Spec {
	l := load.Spec{
		URL: v.envoy.URL + "/v1/chat/completions", Header: v.key, Body: s.body(v),
		Connections: s.connections, Duration: d,
		Want: `"finish_reason":"stop"`,
	}
	if s.stream {
		l.Want = "data: [DONE]"
	}
	if s.paced {
		l.Duration, l.Ramp = max(d, 2*time.Second), time.Second
	}
	return l
}

// body is a chat request. The mock provider reads the behaviour out of the
// model's name, which passes through every gateway.
func (s *scenario) body(v *variant) []byte {
	body := load.Chat(strings.Join(v.models, s.behaviour+",")+s.behaviour, s.size, s.stream)
	if s.stream && !v.hidden {
		body = bytes.Replace(body, []byte(`"stream":true`), []byte(`"stream":true,"stream_options":{"include_usage":true}`), 1)
	}
	return body
}
