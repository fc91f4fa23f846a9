package free_tier_test

import rego.v2

import data.attache.request

plain := {
	"user": "",
	"caller": {"labels": {"tier": "free"}},
	"request": {"op": "chat", "tools": {}, "images": 0, "audios": 0, "files": 0, "tokens": {"input": 2000}},
}

but(part) := object.union(plain, {"request": part})

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "upgrade_needed"
}

test_small_model_and_short_answers if {
	{"chain": ["cheap"]} in request.route with input as plain
	{"path": "/max_tokens", "max": 256} in request.modify with input as plain
	not refused(plain)
}

test_extras if {
	refused(but({"tools": {"search": true}}))
	refused(but({"images": 1}))
	refused(but({"audios": 1}))
	refused(but({"files": 1}))
	refused(but({"tokens": {"input": 2001}}))
}

limits(doc) := {[l.per, object.get(l, "window", "minute")] | some l in request.limit with input as doc}

of_key := {["key", "minute"], ["key", "day"]}

of_user := {["user", "minute"], ["user", "day"]}

test_limits if {
	limits(but({})) & (of_key | of_user) == of_key
	limits(object.union(plain, {"user": "ann"})) & (of_key | of_user) == of_key | of_user
	limits(object.union(but({"op": "embeddings"}), {"user": "ann"})) & of_user == of_user
	limits({"user": "ann", "caller": {"labels": {"tier": "gold"}}}) & (of_key | of_user) == set()
}

test_paying_callers if {
	not refused(object.union(but({"images": 1}), {"caller": {"labels": {"tier": "gold"}}}))
}
