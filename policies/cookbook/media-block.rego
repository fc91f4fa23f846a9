# Media: images, sound and files are for keys with the label `media: yes`.
#
# Use it where what people upload may be anything. It looks at the parts of
# messages and at the paths that carry media by themselves.
package attache.request

import rego.v2

# METADATA
# custom: {id: media-block}
deny contains {"code": "media_not_allowed", "message": "this key is for text alone"} if {
	object.get(input.caller.labels, "media", "no") != "yes"
	carries_media
}

carries_media if input.request.images > 0

carries_media if input.request.audios > 0

carries_media if input.request.files > 0

carries_media if {
	input.request.op == "forward"
	split(input.request.path, "/")[2] in {"audio", "files", "images", "uploads", "videos"}
}
