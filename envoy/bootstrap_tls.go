package envoy

import (
	"errors"
	"net"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// mutualTLS towards the control plane at host.
func mutualTLS(f TLSFiles, host string) (*corev3.TransportSocket, error) {
	if f.CA == "" || f.Cert == "" || f.Key == "" {
		return nil, errors.New("ADS over the network needs a CA, a certificate and a key")
	}
	sni := ""
	if net.ParseIP(host) == nil {
		sni = host
	}
	any, err := anypb.New(&tlsv3.UpstreamTlsContext{
		Sni: sni,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams: &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
			TlsCertificates: []*tlsv3.TlsCertificate{{
				CertificateChain: file(f.Cert), PrivateKey: file(f.Key),
			}},
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{
				ValidationContext: validation(f, host),
			},
			AlpnProtocols: []string{"h2"},
		},
	})
	if err != nil {
		return nil, err
	}
	return &corev3.TransportSocket{Name: "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: any}}, nil
}

// validation requires the control plane's name: the one given, or that of the
// host it is reached at.
func validation(f TLSFiles, host string) *tlsv3.CertificateValidationContext {
	name, kind := f.Server, tlsv3.SubjectAltNameMatcher_DNS
	switch {
	case strings.Contains(name, "://"):
		kind = tlsv3.SubjectAltNameMatcher_URI
	case name == "" && net.ParseIP(host) != nil:
		name, kind = host, tlsv3.SubjectAltNameMatcher_IP_ADDRESS
	case name == "":
		name = host
	}
	return &tlsv3.CertificateValidationContext{
		TrustedCa: file(f.CA),
		MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
			SanType: kind,
			Matcher: &matcherv3.StringMatcher{
				MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name},
			},
		}},
	}
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}
