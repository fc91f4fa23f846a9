# Internal network: a key marked as internal is good from your own addresses only.
#
# Use it so that a stolen key is of no use elsewhere. Those keys have the label
# `network: internal`. The address is the one that Envoy saw: behind another proxy
# the proxy's, and the machine's own for a caller on the same machine.
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
	some range in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"]
	net.cidr_contains(range, input.caller.address)
}
