package anthropic

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// unknownKeywords are the keywords of JSON Schema that the API's structured
// output refuses.
var unknownKeywords = map[string]bool{
	"minimum": true, "maximum": true, "exclusiveMinimum": true, "exclusiveMaximum": true, "multipleOf": true,
	"minLength": true, "maxLength": true, "pattern": true,
	"maxItems": true, "uniqueItems": true, "contains": true, "minContains": true, "maxContains": true,
	"minProperties": true, "maxProperties": true, "patternProperties": true, "propertyNames": true,
	"if": true, "then": true, "else": true, "not": true, "dependentSchemas": true, "dependentRequired": true,
}

// Keywords whose value is a list of schemas, or an object of named ones.
var (
	schemaLists = map[string]bool{"anyOf": true, "allOf": true, "oneOf": true}
	schemaMaps  = map[string]bool{"properties": true, "$defs": true, "definitions": true}
)

// outputSchema rewrites a schema for structured output: keywords that the API
// refuses are left out with a warning, oneOf becomes anyOf, and objects are
// closed.
func (e *requestEncoder) outputSchema(schema []byte) ([]byte, error) {
	s := schemaWriter{Reader: jsonx.NewReader(schema), encoder: e}
	if err := s.schema(); err != nil {
		return nil, llm.Invalid("response_format.json_schema.schema", "must be a JSON Schema")
	}
	return s.dst, nil
}

type schemaWriter struct {
	*jsonx.Reader
	encoder *requestEncoder
	dst     []byte
}

func (s *schemaWriter) schema() error {
	if s.Kind() != jsonx.Object {
		return s.copy()
	}
	isObject := string(s.Tag("type")) == "object"
	s.dst = append(s.dst, '{')
	n := 0
	err := s.Map(func(name []byte) error {
		keyword := string(name)
		isObject = isObject || keyword == "properties"
		if s.drop(keyword) {
			_, err := s.Skip()
			return err
		}
		s.name(keyword, n)
		n++
		switch {
		case schemaMaps[keyword] && s.Kind() == jsonx.Object:
			return s.named()
		case schemaLists[keyword] && s.Kind() == jsonx.Array:
			return s.list()
		case keyword == "items":
			return s.schema()
		}
		return s.copy()
	})
	if isObject {
		s.name("additionalProperties", n)
		s.dst = append(s.dst, "false"...)
	}
	s.dst = append(s.dst, '}')
	return err
}

// drop reports whether a keyword is left out, and warns of it.
func (s *schemaWriter) drop(keyword string) bool {
	if keyword == "additionalProperties" {
		if s.Kind() != jsonx.Bool {
			s.warn(keyword)
		}
		return true
	}
	if unknownKeywords[keyword] {
		s.warn(keyword)
		return true
	}
	return false
}

func (s *schemaWriter) warn(keyword string) {
	s.encoder.Warn("response_format.json_schema.schema", keyword+" was left out: the API's structured output does not know it")
}

func (s *schemaWriter) name(keyword string, n int) {
	if keyword == "oneOf" {
		keyword = "anyOf"
	}
	s.dst = append(jsonx.AppendString(comma(s.dst, n), keyword), ':')
}

func (s *schemaWriter) named() error {
	s.dst = append(s.dst, '{')
	n := 0
	err := s.Map(func(name []byte) error {
		s.dst = append(jsonx.AppendString(comma(s.dst, n), string(name)), ':')
		n++
		return s.schema()
	})
	s.dst = append(s.dst, '}')
	return err
}

func (s *schemaWriter) list() error {
	s.dst = append(s.dst, '[')
	err := s.Array(func(i int) error {
		s.dst = comma(s.dst, i)
		return s.schema()
	})
	s.dst = append(s.dst, ']')
	return err
}

func (s *schemaWriter) copy() error {
	raw, err := s.Raw()
	s.dst = append(s.dst, dialect.OneLine(raw)...)
	return err
}
