package dialect

import "strings"

// sealed begins a signature that has its owner's name before it.
const sealed = "attache:"

// Seal readies a signature of reasoning for a place where native's signatures
// stand as they are: any other owner's gets the owner's name before it, so that
// it can travel there without being taken for native's. In llm.Part and
// llm.Event native is anthropic, the first format that had signatures.
func Seal(native, owner, signature string) string {
	if owner == native {
		return signature
	}
	return sealed + owner + ":" + signature
}

// Unseal returns whose a signature is, and what the owner wrote.
func Unseal(native, signature string) (owner, own string) {
	rest, ok := strings.CutPrefix(signature, sealed)
	if !ok {
		return native, signature
	}
	owner, own, _ = strings.Cut(rest, ":")
	return owner, own
}
