# The labels of the caller's key.
package attache.lib.labels

import rego.v2

# The value of a label, or another one where the key has none of the name.
of_caller(name, otherwise) := object.get(input.caller.labels, name, otherwise)
