package provider

// lacks names features that an API does not have, and says why.
type lacks map[string]string
