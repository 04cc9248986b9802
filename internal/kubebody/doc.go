// Package kubebody reads bodies of requests to an API server in the forms that are not JSON, and makes JSON of
// them, so that what is judged, masked, recorded and forwarded is one and the same document.
//
// Kubernetes' protobuf is decoded by the API server's own types (k8s.io/api): what they do not know is an error,
// since it could not be judged. YAML is decoded as the API server does (sigs.k8s.io/yaml), without anchors. CBOR is
// not read: clients that speak it are told so with 415, and then send JSON.
//
// It does no I/O and holds no policy. What JSON says, internal/kube knows.
package kubebody
