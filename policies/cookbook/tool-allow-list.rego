# Tools: a team may offer models only the tools on its list.
#
# Use it where tools act on the world, so that an application does not get to
# them by accident. Teams that are not here may offer none. What others run (web
# search, code, MCP servers) is on the list by its type, see Tools in ../README.md.
# Requests in batches are out of a rule's sight: refuse those by request.path.
package attache.request

import rego.v2

# METADATA
# custom: {id: tool-allow-list}
deny contains {"code": "tool_not_allowed", "message": concat("", ["the tool ", name, " is not allowed"])} if {
	some name, _ in input.request.tools
	not name in object.get(tools_of_team, input.caller.team, set())
}

tools_of_team := {
	"search": {"web_search", "fetch"},
	"support": {"lookup_order", "refund"},
}
