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

// mutualTLS towards the control plane, which is at one of the hosts.
func mutualTLS(f TLSFiles, hosts []string) (*corev3.TransportSocket, error) {
	if f.CA == "" || f.Cert == "" || f.Key == "" {
		return nil, errors.New("ADS over the network needs a CA, a certificate and a key")
	}
	sni := ""
	if len(hosts) == 1 && net.ParseIP(hosts[0]) == nil { // of several, each has its own
		sni = hosts[0]
	}
	any, err := anypb.New(&tlsv3.UpstreamTlsContext{
		Sni: sni,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams: &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
			TlsCertificates: []*tlsv3.TlsCertificate{{
				CertificateChain: file(f.Cert), PrivateKey: file(f.Key),
			}},
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{
				ValidationContext: validation(f, hosts),
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

// validation requires the control plane's name: the one given, or that of a
// host it is reached at.
func validation(f TLSFiles, hosts []string) *tlsv3.CertificateValidationContext {
	names := hosts
	if f.Server != "" {
		names = []string{f.Server}
	}
	v := &tlsv3.CertificateValidationContext{TrustedCa: file(f.CA)}
	for _, name := range names {
		kind := tlsv3.SubjectAltNameMatcher_DNS
		switch {
		case strings.Contains(name, "://"):
			kind = tlsv3.SubjectAltNameMatcher_URI
		case f.Server == "" && net.ParseIP(name) != nil:
			kind = tlsv3.SubjectAltNameMatcher_IP_ADDRESS
		}
		v.MatchTypedSubjectAltNames = append(v.MatchTypedSubjectAltNames, &tlsv3.SubjectAltNameMatcher{SanType: kind,
			Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name}}})
	}
	return v
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}
