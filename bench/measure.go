package main

import (
	"context"
	"fmt"
	"time"

	"github.com/attache-gateway/attache/bench/load"
)

// A sample is what one run of load showed.
type sample struct {
	scenario, variant string
	cpu               time.Duration // of Envoy and server, for one request
	server            time.Duration // of the server alone
	latency           load.Quantiles
}

// measure runs all variants of each scenario in turn, rounds times, so that
// what disturbs the machine for a while disturbs them alike.
func (b *bench) measure(ctx context.Context, chosen []scenario, o options) (samples []sample, err error) {
	for round := range o.rounds + 1 {
		for i := range chosen {
			s := &chosen[i]
			fmt.Fprintf(b.progress, "round %d of %d: %s\n", round, o.rounds, s.title)
			for j := range b.variants {
				v := &b.variants[j]
				if !s.has(v) || round == 0 && s.paced {
					continue
				}
				d := o.duration
				if round == 0 { // fills connection pools and caches
					d /= 10
				}
				got, err := v.run(ctx, s.spec(v, d))
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", s.title, v.name, err)
				}
				got.scenario, got.variant = s.name, v.name
				if round > 0 {
					samples = append(samples, got)
				}
			}
		}
	}
	return samples, nil
}

func (v *variant) run(ctx context.Context, l load.Spec) (s sample, err error) {
	envoy, server, err := v.cpu()
	if err != nil {
		return s, err
	}
	r, err := load.Run(ctx, l)
	if err != nil {
		return s, err
	}
	if r.Errors > 0 || r.Requests == 0 {
		return s, fmt.Errorf("%d of %d requests failed: %s", r.Errors, r.Errors+r.Requests, r.FirstError)
	}
	envoyAfter, serverAfter, err := v.cpu()
	if err != nil {
		return s, err
	}
	n := time.Duration(r.Requests)
	s.server, s.latency = (serverAfter-server)/n, r.Latency
	s.cpu = s.server + (envoyAfter-envoy)/n
	return s, nil
}

// cpu is what the processes have used so far.
func (s *server) cpu() (envoy, server time.Duration, err error) {
	if envoy, err = load.CPU(s.envoy.PID()); err != nil || s.proc == nil {
		return envoy, 0, err
	}
	server, err = load.CPU(s.proc.pid())
	return envoy, server, err
}
