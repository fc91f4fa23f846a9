# Tenants: each request says which tenant it is for, and a key is good for its
# own tenants only.
#
# Use it where one application serves many customers. The header is x-tenant; the
# key has the label `tenants`, names with commas between them, or `*`. The tenant
# stands in the record, and the provider gets it.
package attache.request

import rego.v2

# METADATA
# custom: {id: tenant-missing}
deny contains {"code": "tenant_missing", "status": 400, "message": "the header x-tenant is missing"} if not input.request.headers["x-tenant"]

# METADATA
# custom: {id: tenant-foreign}
deny contains {"code": "tenant_not_allowed", "message": "this key is not for this tenant"} if {
	input.request.headers["x-tenant"]
	not good_tenant
}

# METADATA
# custom: {id: tenant-label}
label contains {"tenant": good_tenant}

# METADATA
# custom: {id: tenant-header}
header contains {"name": "x-tenant", "value": good_tenant}

# A key for all tenants takes any word, but nothing that could not stand in a header.
good_tenant := input.request.headers["x-tenant"] if {
	regex.match(`^[a-z0-9-]{1,64}$`, input.request.headers["x-tenant"])
	some name in split(input.caller.labels.tenants, ",")
	name in {"*", input.request.headers["x-tenant"]}
}
