# Off peak: at night the model in the house answers, in the daytime it is left to
# those who work with it.
#
# Use it where hardware of your own is idle at night. It is a preference: if the
# local model fails, the others answer. Hours are those of the configured `timezone`.
package attache.request

import rego.v2

import data.attache.lib.clock

# METADATA
# custom: {id: off-peak}
route contains {"prefer": "provider=local", "weight": 5} if {
	input.request.op == "chat"
	clock.between(20, 6)
}
