# A key with the label state=suspended is of no use.
package attache.request

import rego.v2

# METADATA
# custom: {id: suspended}
deny contains {"code": "suspended", "message": "this key is suspended", "priority": 100} if input.caller.labels.state == "suspended"
