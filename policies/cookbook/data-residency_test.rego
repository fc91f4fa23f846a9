package data_residency_test

import rego.v2

import data.attache.request

from(labels, properties) := {
	"caller": {"labels": labels}, "properties": properties,
	"candidates": [{"model": "gpt-4o", "tags": {}}, {"model": "gpt-4o", "tags": {"residency": "eu"}}],
}

stays := {"require": {"residency": "eu"}}

test_europe_stays if {
	stays in request.route with input as from({}, {"country": "de"})
	stays in request.route with input as from({"country": "fr"}, {"country": "us"})
}

test_unknown_stays if {
	stays in request.route with input as from({}, {})
}

test_others_go_anywhere if {
	not stays in request.route with input as from({}, {"country": "us"})
	not stays in request.route with input as from({"country": "us"}, {"country": "de"})
}

test_no_target_is_said if {
	nowhere := object.union(from({}, {"country": "de"}), {"candidates": [{"model": "gpt-4o", "tags": {}}]})
	some d in request.deny with input as nowhere
	d.code == "residency"
}
