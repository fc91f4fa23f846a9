package claude

import (
	"github.com/attache-gateway/attache/extproc/llm"
)

// Sampling is the sampling that a model takes.
type Sampling struct{ Temperature, TopP, TopK llm.Number }

// Sample returns what of a request's sampling the model takes, given whether it
// will think.
func Sample(r *llm.Request, rules llm.Rules, thinks bool, warn Warn) Sampling {
	s := Sampling{r.Temperature, r.TopP, r.TopK}
	drop := func(field string, n *llm.Number, reason string) {
		if *n != "" {
			warn(field, reason)
			*n = ""
		}
	}
	if rules.NoSampling {
		const reason = "left out: the model does not take it"
		drop("temperature", &s.Temperature, reason)
		drop("top_p", &s.TopP, reason)
		drop("top_k", &s.TopK, reason)
	}
	if s.Temperature.Value() > 1 {
		warn("temperature", "lowered to 1, the highest that the API takes")
		s.Temperature = "1"
	}
	if thinks {
		const reason = "left out: the model does not take it while it thinks"
		if s.Temperature.Value() != 1 {
			drop("temperature", &s.Temperature, reason)
		}
		if s.TopP.Value() < 0.95 {
			drop("top_p", &s.TopP, reason)
		}
		drop("top_k", &s.TopK, reason)
	}
	if s.Temperature != "" {
		drop("top_p", &s.TopP, "left out: the API takes it or temperature, not both")
	}
	return s
}
