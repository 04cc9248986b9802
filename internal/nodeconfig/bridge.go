package nodeconfig

// Types of the TLVs that Envoy puts into the PROXY protocol v2 header of a connection to the
// bridge (PP2_TYPE_MIN_CUSTOM and up). A value that Envoy does not have is "-".
const (
	TLVTargets    = 0xE0 // names of the targets that the listener serves, with commas between them
	TLVURISAN     = 0xE1 // URI SAN of the client certificate that Envoy verified
	TLVCertDigest = 0xE2 // SHA-256 of that certificate, hex
)
