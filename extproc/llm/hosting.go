package llm

// Names of the services that offer other vendors' formats in a form of their
// own, as they stand in configuration; see package hosting.
const (
	HostAzure   = "azure"   // OpenAI's formats on Azure
	HostVertex  = "vertex"  // Gemini and Anthropic on Google Cloud's Vertex AI
	HostBedrock = "bedrock" // Anthropic on Amazon Bedrock's InvokeModel
)
