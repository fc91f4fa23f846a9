package rego

import (
	"cmp"
	"regexp"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A permission allows where the default is to deny.
type permission struct{}

func readAllow(h *head) effect {
	h.text("reason")
	return permission{}
}

func (permission) add(f *fold, _ *rule) {
	f.allowed = true
}

// A denial refuses. Of several the one with the highest priority speaks, then
// the one with the lowest status; what is left is decided by the alphabet.
type denial struct {
	gateway.Denial
	priority int64
	stated   bool // its head has the priority; else that is of the METADATA
}

var codePattern = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

func readDeny(h *head) effect {
	d := &denial{Denial: gateway.Denial{Code: llm.CodePolicyDenied, Status: 403}}
	if code, ok := h.text("code"); ok {
		d.Code = code
		if !codePattern.MatchString(code) {
			h.fail("code: %v does not match %s", ast.String(code), codePattern)
		}
	}
	if status, ok := h.integer("status", 400, 599); ok {
		d.Status = int(status)
	}
	d.Message, _ = h.text("message")
	d.RetryAfterS, _ = h.integer("retry_after_s", 1, maxInteger)
	d.priority, d.stated = h.integer("priority", -maxInteger, maxInteger)
	return d
}

func (d *denial) add(f *fold, r *rule) {
	mine := *d // the head of a constant rule is shared by all requests
	mine.Rule = r.id
	if mine.priority = r.ranked(mine.priority); !mine.stated {
		mine.priority = r.priority
	}
	if f.denial == nil || mine.compare(f.denial) < 0 {
		f.denial = &mine
	}
}

func (d *denial) compare(o *denial) int {
	return cmp.Or(
		cmp.Compare(o.priority, d.priority),
		cmp.Compare(d.Status, o.Status),
		cmp.Compare(d.Code, o.Code),
		cmp.Compare(d.Rule, o.Rule),
		cmp.Compare(d.Message, o.Message),
		cmp.Compare(d.RetryAfterS, o.RetryAfterS),
	)
}
