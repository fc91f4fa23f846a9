# Data residency: what comes from the European Economic Area stays there.
#
# Use it where the law or a contract says where data may be processed. Providers
# have the tag `residency: eu` in attache.yaml; the client says where its user is
# in the property `country`, and keys can have it as a label, which goes first. A
# request that says nothing is treated as European.
package attache.request

import rego.v2

import data.attache.lib.targets

# METADATA
# custom: {id: eea-stays}
route contains {"require": {"residency": "eu"}} if from_eea

# Where no target is left, say why.
# METADATA
# custom: {id: eea-no-target}
deny contains {"code": "residency", "status": 451, "message": "no target of this model processes data in the EEA"} if {
	from_eea
	not targets.some_tag("residency", "eu")
}

from_eea if data_country in eea

from_eea if data_country == ""

data_country := object.get(input.caller.labels, "country", object.get(input.properties, "country", ""))

eea := {
	"at", "be", "bg", "cy", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr", "hr", "hu", "ie", "is", "it", "li", "lt", "lu", "lv", "mt", "nl", "no", "pl",
	"pt", "ro", "se", "si", "sk",
}
