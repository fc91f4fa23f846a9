package tool_allow_list_test

import rego.v2

import data.attache.request

offers(team, names) := {"caller": {"team": team}, "request": {"tools": {name: true | some name in names}}}

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "tool_not_allowed"
}

test_listed_tools if {
	not refused(offers("search", {"fetch", "web_search"}))
	not refused(offers("nobody", set()))
}

test_others if {
	refused(offers("search", {"fetch", "refund"}))
	refused(offers("nobody", {"fetch"}))
	refused(offers("search", {"mcp"}))
}

test_the_message_names_the_tool if {
	some d in request.deny with input as offers("search", {"refund"})
	d.message == "the tool refund is not allowed"
}
