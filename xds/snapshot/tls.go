package snapshot

import (
	"fmt"
	"net"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	starttls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/starttls/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	metadata "github.com/envoyproxy/go-control-plane/envoy/type/metadata/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/internal/config"
)

// What a target's secrets are called.
const (
	serverCert   = "server"
	clientCA     = "client-ca"
	upstreamCert = "upstream-client"
	upstreamCA   = "upstream-ca"
)

// downstreamTLS is TLS towards the client; certificates come by SDS.
func downstreamTLS(t *config.Target) (*core.TransportSocket, error) {
	c := t.TLS.Client
	p, err := protocolOf(t)
	if err != nil {
		return nil, err
	}
	common := &tls.CommonTlsContext{
		TlsParams:                      &tls.TlsParameters{TlsMinimumProtocolVersion: tls.TlsParameters_TLSv1_2},
		AlpnProtocols:                  p.alpn,
		TlsCertificateSdsSecretConfigs: []*tls.SdsSecretConfig{sds(t, serverCert)},
	}
	if c.ClientCA != "" {
		common.ValidationContextType = &tls.CommonTlsContext_ValidationContextSdsSecretConfig{
			ValidationContextSdsSecretConfig: sds(t, clientCA)}
	}
	return socketOf("envoy.transport_sockets.tls", &tls.DownstreamTlsContext{
		CommonTlsContext:         common,
		RequireClientCertificate: wrapperspb.Bool(c.Required),
	})
}

// upstreamTLS begins in clear text; the filter starts TLS when the target is ready for it.
func upstreamTLS(t *config.Target) (*core.TransportSocket, error) {
	ctx, err := upstreamContext(t)
	if err != nil {
		return nil, err
	}
	return socketOf("envoy.transport_sockets.starttls", &starttls.UpstreamStartTlsConfig{TlsSocketConfig: ctx})
}

// upstreamContext is what is asked of the target's TLS.
func upstreamContext(t *config.Target) (*tls.UpstreamTlsContext, error) {
	u := t.TLS.Upstream
	p, err := protocolOf(t)
	if err != nil {
		return nil, err
	}
	common := &tls.CommonTlsContext{
		TlsParams: &tls.TlsParameters{
			TlsMinimumProtocolVersion: tls.TlsParameters_TLSv1_2,
			TlsMaximumProtocolVersion: tls.TlsParameters_TLSv1_3,
			CipherSuites:              p.ciphers,
		},
	}
	if u.Cert != "" {
		common.TlsCertificateSdsSecretConfigs = []*tls.SdsSecretConfig{sds(t, upstreamCert)}
	}
	if u.Mode == config.TLSVerifyFull {
		common.ValidationContextType = &tls.CommonTlsContext_CombinedValidationContext{
			CombinedValidationContext: &tls.CommonTlsContext_CombinedCertificateValidationContext{
				DefaultValidationContext: &tls.CertificateValidationContext{
					MatchTypedSubjectAltNames: []*tls.SubjectAltNameMatcher{sanOf(u.ServerName)},
				},
				ValidationContextSdsSecretConfig: sds(t, upstreamCA),
			},
		}
	}
	ctx := &tls.UpstreamTlsContext{CommonTlsContext: common}
	if net.ParseIP(u.ServerName) == nil {
		ctx.Sni = u.ServerName
	}
	return ctx, nil
}

// sanOf matches exactly the name (or the IP address) in the target's certificate.
func sanOf(name string) *tls.SubjectAltNameMatcher {
	kind := tls.SubjectAltNameMatcher_DNS
	if net.ParseIP(name) != nil {
		kind = tls.SubjectAltNameMatcher_IP_ADDRESS
	}
	return &tls.SubjectAltNameMatcher{
		SanType: kind,
		Matcher: &matcher.StringMatcher{MatchPattern: &matcher.StringMatcher_Exact{Exact: name}},
	}
}

// secretsOf reads a target's certificates into secrets.
func (b *builder) secretsOf(t *config.Target) ([]types.Resource, error) {
	var out []types.Resource
	c, u := t.TLS.Client, t.TLS.Upstream
	for _, pair := range []struct{ name, cert, key string }{
		{serverCert, c.Cert, c.Key}, {upstreamCert, u.Cert, u.Key},
	} {
		if pair.cert == "" {
			continue
		}
		cert, err := b.read(pair.cert)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		key, err := b.read(pair.key)
		if err != nil {
			return nil, fmt.Errorf("private key: %w", err)
		}
		out = append(out, &tls.Secret{
			Name: secretName(t.Name, pair.name),
			Type: &tls.Secret_TlsCertificate{TlsCertificate: &tls.TlsCertificate{
				CertificateChain: inline(cert), PrivateKey: inline(key),
			}},
		})
	}
	for _, ca := range []struct{ name, file string }{{clientCA, c.ClientCA}, {upstreamCA, u.CA}} {
		if ca.file == "" {
			continue
		}
		pem, err := b.read(ca.file)
		if err != nil {
			return nil, fmt.Errorf("CA: %w", err)
		}
		out = append(out, &tls.Secret{
			Name: secretName(t.Name, ca.name),
			Type: &tls.Secret_ValidationContext{ValidationContext: &tls.CertificateValidationContext{TrustedCa: inline(pem)}},
		})
	}
	return out, nil
}

func inline(b []byte) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_InlineBytes{InlineBytes: b}}
}

func sds(t *config.Target, what string) *tls.SdsSecretConfig {
	return &tls.SdsSecretConfig{Name: secretName(t.Name, what), SdsConfig: ads()}
}

func socketOf(name string, m proto.Message) (*core.TransportSocket, error) {
	a, err := pack(m)
	if err != nil {
		return nil, err
	}
	return &core.TransportSocket{Name: name, ConfigType: &core.TransportSocket_TypedConfig{TypedConfig: a}}, nil
}

func metadataKey() *metadata.MetadataKey {
	return &metadata.MetadataKey{
		Key:  CancelMetadata,
		Path: []*metadata.MetadataKey_PathSegment{{Segment: &metadata.MetadataKey_PathSegment_Key{Key: CancelKey}}},
	}
}
