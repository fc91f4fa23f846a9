package attache.lib.targets_test

import rego.v2

import data.attache.lib.targets

two := {"candidates": [
	{"model": "a", "tags": {"residency": "eu"}},
	{"model": "b", "tags": {}},
]}

test_only_models if {
	targets.only_models({"a", "b", "c"}) with input as two
	not targets.only_models({"a"}) with input as two
	not targets.only_models({"a"}) with input as {"candidates": []}
}

test_some_model if {
	targets.some_model({"b", "x"}) with input as two
	not targets.some_model({"x"}) with input as two
}

test_some_tag if {
	targets.some_tag("residency", "eu") with input as two
	not targets.some_tag("residency", "us") with input as two
	not targets.some_tag("zone", "eu") with input as two
}

test_only_providers if {
	targets.only_providers({"a", "b"}) with input as {"candidates": [{"provider": "a"}, {"provider": "b"}]}
	not targets.only_providers({"a"}) with input as {"candidates": [{"provider": "a"}, {"provider": "b"}]}
	not targets.only_providers({"a"}) with input as {"candidates": []}
}

test_some_provider if {
	targets.some_provider({"a"}) with input as {"candidates": [{"provider": "a"}, {"provider": "b"}]}
	not targets.some_provider({"c"}) with input as {"candidates": [{"provider": "a"}, {"provider": "b"}]}
}
