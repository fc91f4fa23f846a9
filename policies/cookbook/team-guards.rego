# Guards by team: texts of some teams are looked at, and what leaves the house
# without a guard is what you chose.
#
# Use it where a guard costs time or gets in the way of some. The guard `pii` is
# configured with `run: asked`.
package attache.request

import rego.v2

# METADATA
# custom: {id: team-guards}
guard contains {"name": "pii"} if not input.caller.team in trusted_teams

# METADATA
# custom: {id: team-guards-label}
label contains {"guarded": "no"} if input.caller.team in trusted_teams

trusted_teams := {"legal", "payroll"}
