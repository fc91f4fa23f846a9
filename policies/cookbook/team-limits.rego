# Limits by team: how much each team may use is a table, and one rule reads it.
#
# Use it to give teams limits without writing rules. The table is `team_limits` in
# data/team-limits.yaml, beside the rules; what a row may have is what `limit` takes.
# A team without rows has those of `others`. A row that says nothing of use is an
# error for the requests of its team, so copy the test: it refuses such a table.
package attache.request

import rego.v2

import data.attache.config

# METADATA
# custom: {id: team-limits}
limit contains object.union(row, {"per": "team"}) if some row in team_limit_rows

team_limit_rows := object.get(config.team_limits, input.caller.team, config.team_limits.others)
