package hosting

import "github.com/attache-gateway/attache/extproc/llm"

// Forward returns where the service has another path of an API, such as
// /images/generations, given below the API's version and with its query. The
// model is empty where the request names none. It is false if the service has
// no such paths.
func (h Hosting) Forward(path, model string) (string, bool) {
	switch h.Name {
	case "":
		return path, true
	case llm.HostAzure:
		return azurePath(h.APIVersion, path, model), true
	}
	return "", false
}
