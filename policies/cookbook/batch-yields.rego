# Batch jobs give way: when a team has used most of what it may use in a minute, its
# jobs wait and its people do not.
#
# Use it where jobs and people of a team share a limit, here the limit `team` of the
# configuration. Keys of jobs have the label `use: batch`. The OpenAI and Anthropic
# SDKs come again after the time that the answer names.
package attache.request

import rego.v2

# METADATA
# custom: {id: batch-yields}
deny contains {"code": "jobs_wait", "status": 429, "message": "your team is busy, so its jobs wait", "retry_after_s": 20} if {
	input.caller.labels.use == "batch"
	input.limits.team.left_permille < 300
}
