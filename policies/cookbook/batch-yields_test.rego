package batch_yields_test

import rego.v2

import data.attache.request

left(permille, labels) := {"caller": {"labels": labels}, "limits": {"team": {"left_permille": permille}}}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "jobs_wait"
}

test_jobs_wait if {
	refused(left(299, {"use": "batch"}))
	not refused(left(300, {"use": "batch"}))
}

test_people_do_not if {
	not refused(left(0, {}))
}
