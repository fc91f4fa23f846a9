package rego

import (
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/attache-gateway/attache/policies"
)

// forbidden are the builtins that a rule cannot use: those that reach out of
// the process or give another result each time, and those whose cost or
// surface has no place in a decision about a request. A name that ends in a
// dot stands for all below it.
var forbidden = []string{
	"http.", "net.lookup_ip_addr", "opa.", "providers.",
	"rand.", "uuid.rfc4122", "time.now_ns",
	"io.jwt.", "crypto.x509.", "crypto.parse_private_keys",
	"json.match_schema", "json.verify_schema", "graphql.", "rego.", "trace",
}

// capabilities is OPA without the forbidden builtins and without a network.
var capabilities = func() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.AllowNet = []string{}
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return slices.ContainsFunc(forbidden, func(f string) bool {
			return b.Name == f || strings.HasSuffix(f, ".") && strings.HasPrefix(b.Name, f)
		})
	})
	return c
}()

func newCompiler() *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(capabilities).WithDefaultRegoVersion(ast.RegoV1)
}

// inputSchema makes a path of the input that does not exist a compile error.
var inputSchema = sync.OnceValue(func() *ast.SchemaSet {
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, util.MustUnmarshalJSON(policies.InputSchema))
	return set
})
