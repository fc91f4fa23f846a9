# Data stays where it has to: the label residency of a key, or the property of
# that name, which a client can ask for, is a tag that every target must have.
package attache.request

import rego.v2

# METADATA
# custom: {id: residency}
route contains {"require": {"residency": input.caller.labels.residency}} if input.caller.labels.residency != ""

# METADATA
# custom: {id: residency-asked}
route contains {"require": {"residency": input.properties.residency}} if input.properties.residency != ""
