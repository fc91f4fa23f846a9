# Business hours: some keys work from Monday to Friday in the daytime only.
#
# Use it for keys of offices, where a request at night is a mistake or a theft.
# Those keys have the label `hours: office`. Hours are those of the configured `timezone`.
package attache.request

import rego.v2

import data.attache.lib.clock

# METADATA
# custom: {id: business-hours}
deny contains {"code": "outside_business_hours", "message": "this key is good from Monday to Friday, 7 to 18"} if {
	input.caller.labels.hours == "office"
	not office_is_open
}

office_is_open if {
	clock.workday
	clock.between(7, 18)
}
