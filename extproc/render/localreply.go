package render

import (
	"fmt"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// localReplies gives the errors that Envoy itself answers a JSON body that the OpenAI and the Anthropic SDKs parse. The
// first mapper that matches wins. The texts are fixed: Envoy's own name hosts and what failed inside.
func (b *builder) localReplies() *hcmv3.LocalReplyConfig {
	return &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{
		{Filter: b.cel(fmt.Sprintf("response.code_details == '%s'", AnswerDetails))}, // the gateway's answer, as it is
		b.reply("response.code_details == 'upgrade_failed'", "invalid_request_error", "unsupported_feature", "the gateway serves no WebSockets"),
		b.reply("response.code == 413", "request_too_large", "request_too_large",
			fmt.Sprintf("request body exceeds %d bytes", b.in.MaxRequest)),
		b.reply("response.code == 502", "api_error", "upstream_error", "the provider's response is malformed"),
		b.reply("response.code == 504", "api_error", "upstream_timeout", "the provider did not answer in time"),
		b.reply("response.code < 500", "invalid_request_error", "invalid_request", "malformed HTTP request"),
		b.reply("true", "api_error", "internal", "the gateway cannot handle the request now"),
	}}
}

func (b *builder) reply(condition, kind, code, message string) *hcmv3.ResponseMapper {
	body, err := structpb.NewStruct(map[string]any{
		"type":  "error",
		"error": map[string]any{"type": kind, "code": code, "message": message},
	})
	if err != nil {
		b.fail(err)
	}
	return &hcmv3.ResponseMapper{
		Filter:             b.cel(condition),
		BodyFormatOverride: &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: body}},
	}
}

func (b *builder) cel(expression string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
		ExtensionFilter: &accesslogv3.ExtensionFilter{
			Name:       "envoy.access_loggers.extension_filters.cel",
			ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: b.any(&celv3.ExpressionFilter{Expression: expression})},
		}}}
}
