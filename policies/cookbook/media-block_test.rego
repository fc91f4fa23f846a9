package media_block_test

import rego.v2

import data.attache.request

plain := {"caller": {"labels": {}}, "request": {"op": "chat", "images": 0, "audios": 0, "files": 0, "path": "/v1/chat/completions"}}

but(part) := object.union(plain, {"request": part})

refused(doc) if {
	some d in request.deny with input as doc
	d.code == "media_not_allowed"
}

test_text if {
	not refused(plain)
}

test_media if {
	refused(but({"images": 1}))
	refused(but({"audios": 1}))
	refused(but({"files": 1}))
	every path in ["/v1/images/edits", "/v1/audio/speech", "/v1/files", "/v1beta/files/1"] {
		refused(but({"op": "forward", "path": path}))
	}
	not refused(but({"op": "forward", "path": "/v1/batches"}))
}

test_keys_for_media if {
	not refused(object.union(but({"images": 1}), {"caller": {"labels": {"media": "yes"}}}))
}
