# Limits by team: how much each team may use is a table, and the same rules read it
# for all.
#
# Use it to give teams limits without writing rules. The table is `team_limits` in
# data/team-limits.yaml, beside the rules. A team that is not in it has the row
# `others`. What a row does not have is not limited, so copy the test as well: it
# refuses a table with a column that no rule knows.
package attache.request

import rego.v2

import data.attache.config

# METADATA
# custom: {id: team-requests-minute}
limit contains {"per": "team", "window_s": 60, "requests": team_row.requests_per_minute}

# METADATA
# custom: {id: team-tokens-minute}
limit contains {"per": "team", "window_s": 60, "tokens": team_row.tokens_per_minute}

# METADATA
# custom: {id: team-tokens-day}
limit contains {"per": "team", "window": "day", "tokens": team_row.tokens_per_day}

# METADATA
# custom: {id: team-at-once}
limit contains {"per": "team", "concurrent": team_row.at_once}

team_row := object.get(config.team_limits, input.caller.team, config.team_limits.others)
