package nodeconfig

// Header fields that Envoy sets on requests to the bridge, in the place of whatever the client sent by
// these names. A value that Envoy does not have is absent or "-".
const (
	HeaderTarget     = "x-dragoman-target"      // the target's name
	HeaderClient     = "x-dragoman-client"      // the client's address, host:port
	HeaderTLS        = "x-dragoman-tls"         // the version of TLS that the client speaks
	HeaderURISAN     = "x-dragoman-uri-san"     // URI SAN of the client certificate that Envoy verified
	HeaderCertDigest = "x-dragoman-cert-digest" // SHA-256 of that certificate, hex
)
