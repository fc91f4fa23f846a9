# The admin API is for callers with the role admin.
package attache.admin

import rego.v2

# METADATA
# custom: {id: admin-role}
deny contains {"code": "admin_only", "message": "this needs the role admin"} if not input.caller.roles.admin
