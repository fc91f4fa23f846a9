package log_redaction_test

import rego.v2

import data.attache.request

of(org) := {"caller": {"org": org}}

test_redacted if {
	{"redact": ["/user", "/session", "/properties/email"]} in request.log with input as of("acme")
}

test_not_logged if {
	{"level": "none"} in request.log with input as of("hospital")
	not ({"level": "none"} in request.log) with input as of("acme")
}
