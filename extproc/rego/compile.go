package rego

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/attache-gateway/attache/policies"
)

// forbidden are the builtins that a rule cannot use unless they are granted:
// those that reach out of the process or give another result each time, and
// those whose cost or surface has no place in a decision about a request: what
// takes memory without bound before a deadline can stop it ends the process. A
// name that ends in a dot stands for all below it.
var forbidden = []string{
	"http.", "net.lookup_ip_addr", "opa.", "providers.",
	"rand.", "uuid.rfc4122", "time.now_ns",
	"io.jwt.", "crypto.x509.", "crypto.parse_private_keys",
	"json.match_schema", "json.verify_schema", "graphql.", "rego.", "trace",
	"bits.lsh", "strings.render_template",
}

func isForbidden(name string) bool {
	return slices.ContainsFunc(forbidden, func(f string) bool {
		return name == f || strings.HasSuffix(f, ".") && strings.HasPrefix(name, f)
	})
}

// capabilitiesWith is OPA without the forbidden builtins and, unless a granted
// one needs it, without a network.
func capabilitiesWith(granted []string) *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	if !slices.Contains(granted, "http.send") && !slices.Contains(granted, "net.lookup_ip_addr") {
		c.AllowNet = []string{}
	}
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return isForbidden(b.Name) && !slices.Contains(granted, b.Name)
	})
	return c
}

// grants checks that only what is forbidden and exists is granted.
func grants(names []string) error {
	for _, name := range names {
		if !isForbidden(name) || ast.BuiltinMap[name] == nil {
			return fmt.Errorf("builtins: %q is no builtin that has to be granted", name)
		}
	}
	return nil
}

func newCompiler(c *ast.Capabilities) *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(c).WithDefaultRegoVersion(ast.RegoV1)
}

// inputSchema makes a path of the input that does not exist a compile error.
// The guards are those of the configuration.
func inputSchema(guards guardNames) *ast.SchemaSet {
	schema := util.MustUnmarshalJSON(policies.InputSchema).(map[string]any)
	facts := schema["properties"].(map[string]any)
	nameGuards(facts, guards.input)
	nameGuards(facts["response"].(map[string]any)["properties"].(map[string]any), guards.output)
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, any(schema))
	return set
}

func nameGuards(properties map[string]any, names []string) {
	at := properties["guards"].(map[string]any)
	members := map[string]any{}
	for _, name := range names {
		members[name] = at["additionalProperties"]
	}
	at["properties"], at["additionalProperties"] = members, false
}

// shipped reports whether a file belongs to the program.
func shipped(name string) bool { return strings.HasPrefix(name, "attache/") }

// shippedRules returns the library and the defaults that are not switched off.
func shippedRules(off []string) (map[string][]byte, error) {
	files := map[string][]byte{}
	unknown := slices.Clone(off)
	err := fs.WalkDir(policies.Shipped, "attache", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".rego" || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		base := strings.TrimSuffix(path.Base(name), ".rego")
		if path.Base(path.Dir(name)) == "defaults" && slices.Contains(off, base) {
			unknown = slices.DeleteFunc(unknown, func(s string) bool { return s == base })
			return nil
		}
		files[name], err = policies.Shipped.ReadFile(name)
		return err
	})
	if err == nil && len(unknown) > 0 {
		err = fmt.Errorf("defaults: there is no default %q", unknown[0])
	}
	return files, err
}
