package authz

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
)

// Keys of context_extensions in the configuration of a stock ext_authz HTTP filter.
const (
	HTTPTarget = "dragoman.target" // the target that the route leads to
	HTTPNode   = "dragoman.node"   // the node that the Envoy is in our configuration
)

// HTTPRequest is a request that was understood.
type HTTPRequest struct {
	Action action.Action
	Path   string   // to be sent, if it is not what came
	Remove []string // header fields that must not go on
}

// Understand takes a stock ext_authz request apart. The error is for the agent.
type Understand func(*auth.AttributeContext_HttpRequest) (HTTPRequest, error)

// answerHTTP answers a stock ext_authz request: Envoy's own HTTP filter, in a mesh that does not run ours. Such
// an Envoy neither records nor masks: what is asked and decided is recorded here, and what policy would have masked is denied.
func (s *Service) answerHTTP(ctx context.Context, req *auth.CheckRequest) *auth.CheckResponse {
	http := req.GetAttributes().GetRequest().GetHttp()
	ext := req.GetAttributes().GetContextExtensions()
	node, target := ext[HTTPNode], ext[HTTPTarget]
	client := req.GetAttributes().GetSource().GetAddress().GetSocketAddress()
	log := s.Log.With("node", node, "target", target, "client", client.GetAddress(), "by", "ext_authz")
	if target == "" || s.Understand == nil || s.Requests == nil {
		log.Warn("an ext_authz request is denied: it names no target", "host", http.GetHost(), "method", http.GetMethod())
		return denied(&check.Refusal{Code: check.CodeForbidden, Rule: "gateway.http",
			Message: "Dragoman has no policy for this HTTP request, so it is not let through."}, "")
	}
	open := check.OpenRequest{Target: target, Node: node, Token: bearerOf(http.GetHeaders()["authorization"]),
		SPIFFE: req.GetAttributes().GetSource().GetPrincipal()}
	open.Session.Client = fmt.Sprintf("%s:%d", client.GetAddress(), client.GetPortValue())
	open.Session.Application = http.GetHeaders()["user-agent"]
	if !strings.HasPrefix(open.SPIFFE, "spiffe://") {
		open.SPIFFE = ""
	}
	headers, remove, refusal, id := s.judgeHTTP(ctx, log, open, http)
	if refusal != nil {
		return denied(refusal, id)
	}
	remove = slices.DeleteFunc(remove, func(name string) bool { // what is removed goes after what is set
		return slices.ContainsFunc(headers, func(h check.Header) bool { return h.Name == name })
	})
	ok := &auth.OkHttpResponse{HeadersToRemove: remove}
	for _, h := range headers {
		ok.Headers = append(ok.Headers, &core.HeaderValueOption{Header: &core.HeaderValue{Key: h.Name, Value: h.Value},
			AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD})
	}
	return &auth.CheckResponse{Status: &status.Status{Code: int32(codes.OK)},
		HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: ok}}
}

// judgeHTTP is authenticate → judge → record → (hold) for one request. The last value is a hold's id, if there was one.
func (s *Service) judgeHTTP(ctx context.Context, log *slog.Logger, open check.OpenRequest, http *auth.AttributeContext_HttpRequest) ([]check.Header, []string, *check.Refusal, string) {
	if _, err := s.Node(ctx, open.Node); err != nil {
		log.Warn("an ext_authz request is denied: the gateway is not trusted", "err", err)
		return nil, nil, &check.Refusal{Code: check.CodeUnavailable, Rule: "gateway.node", Message: msgUnavailable}, ""
	}
	proof, refusal := s.authenticate(ctx, log, open)
	if refusal != nil {
		return nil, nil, refusal, ""
	}
	target, refusal := s.target(log, open, proof.Identity)
	if refusal != nil {
		return nil, nil, refusal, ""
	}
	log = log.With("identity", proof.Identity.Chain())
	rec, err := s.Requests.Begin(access.Requester{Identity: proof.Identity, Target: target, Session: open.Session, Gateway: open.Node, Mode: s.mode(target.Name)})
	if err != nil {
		log.Error("an ext_authz request is denied: it cannot be recorded", "err", err)
		return nil, nil, notRecorded(), ""
	}
	defer rec.End()
	q := &asked{s: s, log: log.With("session", rec.Session()), rec: rec, http: http, in: &policy.Input{Version: policy.InputVersion,
		Identity: proof.Identity, Target: target, Session: open.Session}}
	q.in.Session.ID, q.in.Session.Started = rec.Session(), s.Now().UTC()
	r, refusal := q.decide(ctx)
	live := Live{Session: q.in.Session, Identity: proof.Identity, Issued: proof.Issued, Target: target, Node: open.Node}
	var creds check.Credentials
	if refusal == nil {
		if creds, err = s.credentials(ctx, live); err == nil {
			err = s.Authenticator.Recheck(ctx, identity.Proof{Identity: proof.Identity, Issued: proof.Issued})
		}
		if err != nil {
			q.log.Error("an ext_authz request is denied: no credentials, or the token ended meanwhile", "err", err)
			refusal = &check.Refusal{Code: check.CodeUnavailable, Rule: "gateway.unavailable", Message: msgUnavailable}
		}
	}
	if refusal = q.settle(refusal); refusal != nil {
		return nil, nil, refusal, q.hold
	}
	q.log.Info("an ext_authz request is let through")
	return creds.Headers, slices.Concat([]string{"authorization"}, r.Remove), nil, q.hold
}

// httpDigest binds an approval to the method, where it goes and the whole body.
func httpDigest(http *auth.AttributeContext_HttpRequest) string {
	h := sha256.New()
	for _, p := range []string{"ext_authz", http.GetMethod(), http.GetHost(), http.GetPath(), http.GetHeaders()["content-type"], http.GetBody(), string(http.GetRawBody())} {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func bearerOf(v string) string {
	scheme, token, _ := strings.Cut(v, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// denied is a problem document (RFC 9457), as our own filter gives it.
func denied(r *check.Refusal, holdID string) *auth.CheckResponse {
	code, grpc := envoytype.StatusCode_Forbidden, codes.PermissionDenied
	switch r.Code {
	case check.CodeUnauthenticated:
		code, grpc = envoytype.StatusCode_Unauthorized, codes.Unauthenticated
	case check.CodeUnavailable:
		code, grpc = envoytype.StatusCode_ServiceUnavailable, codes.Unavailable
	}
	doc := map[string]any{"type": "https://dragoman.dev/problems/" + r.Code, "status": int(code), "code": r.Code, "rule": r.Rule, "detail": r.Message}
	for name, v := range map[string]string{"hint": r.Hint, "hold": holdID} {
		if v != "" {
			doc[name] = v
		}
	}
	body, _ := json.Marshal(doc)
	fields := []*core.HeaderValueOption{{Header: &core.HeaderValue{Key: "content-type", Value: "application/problem+json"}}}
	if code == envoytype.StatusCode_Unauthorized {
		fields = append(fields, &core.HeaderValueOption{Header: &core.HeaderValue{Key: "www-authenticate", Value: `Bearer realm="dragoman"`}})
	}
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(grpc)},
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
			Status: &envoytype.HttpStatus{Code: code}, Headers: fields, Body: string(body) + "\n"}},
	}
}
