# What time it is, in the configuration's timezone.
package attache.lib.clock

import rego.v2

# Monday to Friday.
workday if input.time.weekday in {"monday", "tuesday", "wednesday", "thursday", "friday"}

# The hour is at or after from and before to. A span may go over midnight.
between(from, to) if {
	from <= to
	input.time.hour >= from
	input.time.hour < to
}

between(from, to) if {
	from > to
	input.time.hour >= from
}

between(from, to) if {
	from > to
	input.time.hour < to
}
