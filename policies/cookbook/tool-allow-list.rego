# Tools: a team may offer models only the tools on its list.
#
# Use it where tools act on the world, so that an application does not get to
# them by accident. Teams that are not here may offer none. What providers run
# themselves (web search, code, MCP servers) has no name in most formats and is
# refused. Rules see the member `tools` of a request alone: OpenAI's old `functions`
# and `web_search_options` and Anthropic's `mcp_servers` are out of their sight.
package attache.request

import rego.v2

# METADATA
# custom: {id: tool-allow-list}
deny contains {"code": "tool_not_allowed", "message": concat("", ["the tool ", name, " is not allowed"])} if {
	some name, _ in input.request.tools
	name != ""
	not name in object.get(tools_of_team, input.caller.team, set())
}

# METADATA
# custom: {id: tool-of-provider}
deny contains {"code": "tool_not_allowed", "message": "tools that the provider runs are not allowed"} if {
	some "", _ in input.request.tools
}

tools_of_team := {
	"search": {"web_search", "fetch"},
	"support": {"lookup_order", "refund"},
}
