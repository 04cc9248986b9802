package login

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
)

// EndPoint is the channel binding data tls-server-end-point of a certificate
// (RFC 5929, section 4.1): its digest by the hash of its signature, SHA-256
// in place of MD5 and SHA-1. It is nil where the standard defines none, as for
// Ed25519.
func EndPoint(cert *x509.Certificate) []byte {
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		d := sha512.Sum384(cert.Raw)
		return d[:]
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		d := sha512.Sum512(cert.Raw)
		return d[:]
	case x509.PureEd25519, x509.UnknownSignatureAlgorithm:
		return nil
	}
	d := sha256.Sum256(cert.Raw)
	return d[:]
}
