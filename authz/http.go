package authz

import (
	"context"
	"encoding/json"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
)

// denyHTTP answers a stock ext_authz request, from Envoy's HTTP filter or
// from anything else that is not one of our questions: no HTTP target is
// configured here, so all is denied, with a body that says so.
func (s *Service) denyHTTP(_ context.Context, req *auth.CheckRequest) *auth.CheckResponse {
	http := req.GetAttributes().GetRequest().GetHttp()
	s.Log.Warn("an ext_authz request is denied: no HTTP target is configured",
		"host", http.GetHost(), "method", http.GetMethod(), "client", req.GetAttributes().GetSource().GetAddress().GetSocketAddress().GetAddress())
	body, _ := json.Marshal(map[string]string{
		"error":   "forbidden",
		"rule":    "gateway.http",
		"message": "Dragoman has no policy for this HTTP request, so it is not let through.",
	})
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
			Status:  &envoytype.HttpStatus{Code: envoytype.StatusCode_Forbidden},
			Headers: []*core.HeaderValueOption{{Header: &core.HeaderValue{Key: "content-type", Value: "application/json"}}},
			Body:    string(body) + "\n",
		}},
	}
}
