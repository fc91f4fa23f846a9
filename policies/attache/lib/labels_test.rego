package attache.lib.labels_test

import rego.v2

import data.attache.lib.labels

test_of_caller if {
	labels.of_caller("tier", "free") == "gold" with input as {"caller": {"labels": {"tier": "gold"}}}
	labels.of_caller("tier", "free") == "free" with input as {"caller": {"labels": {}}}
}
