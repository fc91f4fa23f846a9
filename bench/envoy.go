package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// reference turns Attaché's Envoy configuration into one to compare it with:
// the same listener and the same cluster for the provider, without what is
// there for Attaché. With a socket it keeps the ext_proc filter, as it is, for
// the server there.
func reference(config []byte, provider, socket string) ([]byte, error) {
	var root any
	if err := yaml.Unmarshal(config, &root); err != nil {
		return nil, err
	}
	var e editor
	resources := e.at(root, "static_resources")
	hcm := e.at(resources, "listeners", 0, "filter_chains", 0, "filters", 0, "typed_config")
	delete(hcm, "early_header_mutation_extensions")
	host := e.at(hcm, "route_config", "virtual_hosts", 0)
	routes, _ := host["routes"].([]any)
	if len(routes) > 1 { // the last one is for chats, those before for bodies that nobody reads
		host["routes"] = routes[len(routes)-1:]
	}
	route := e.at(host, "routes", 0, "route")
	delete(route, "inline_cluster_specifier_plugin")
	route["cluster"] = provider
	target := e.at(resources, "clusters", named(provider))
	delete(e.at(target, "typed_extension_protocol_options", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"), "http_filters")
	clusters := []any{target}
	if socket == "" {
		hcm["http_filters"] = []any{e.at(hcm, "http_filters", named("envoy.filters.http.router"))}
	} else {
		server := e.at(resources, "clusters", named("attache"))
		e.at(server, "load_assignment", "endpoints", 0, "lb_endpoints", 0, "endpoint", "address", "pipe")["path"] = socket
		clusters = append(clusters, server)
	}
	resources["clusters"] = clusters
	if e.err != nil {
		return nil, fmt.Errorf("envoy configuration: %w", e.err)
	}
	return json.Marshal(root)
}

// named is the step of a path to the element of a list with this name.
type named string

// An editor keeps the first path that led nowhere.
type editor struct{ err error }

// at follows a path of keys, indices and names to an object. One that leads
// nowhere ends at an object of its own.
func (e *editor) at(v any, path ...any) map[string]any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			if list, _ := v.([]any); step < len(list) {
				v = list[step]
			} else {
				v = nil
			}
		case named:
			list, _ := v.([]any)
			v = nil
			is := func(v any) bool { m, _ := v.(map[string]any); return m["name"] == string(step) }
			if i := slices.IndexFunc(list, is); i >= 0 {
				v = list[i]
			}
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		if e.err == nil {
			e.err = fmt.Errorf("nothing at %v", path)
		}
		return map[string]any{}
	}
	return m
}
