# Internal network: a key marked as internal is good from your own addresses only.
#
# Use it so that a stolen key is of no use elsewhere. Those keys have the label
# `network: internal`. The address is the one that Envoy saw; behind another
# proxy that is the proxy's, unless Envoy is told to trust it.
package attache.request

import rego.v2

# METADATA
# custom: {id: internal-network}
deny contains {"code": "wrong_network", "message": "this key is not good from here"} if {
	input.caller.labels.network == "internal"
	not from_inside
}

from_inside if {
	input.caller.address != ""
	some range in ["127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "fd00::/8"]
	net.cidr_contains(range, input.caller.address)
}
