package main

import (
	"errors"
	"strings"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"dragoman.dev/dragoman/authz"
	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/filters/http/request"
)

// understand takes a request of a stock ext_authz filter apart as our own filter does.
func understand(r *auth.AttributeContext_HttpRequest) (authz.HTTPRequest, error) {
	var list header.List
	var remove []string
	for name, value := range r.GetHeaders() { // names are in lower case; Envoy has joined fields of one name
		if strings.HasPrefix(name, ":") {
			continue
		}
		list = append(list, header.Field{Name: name, Value: value})
		if strings.HasPrefix(name, "dragoman-") || name == "x-forwarded-client-cert" || name == "proxy-authorization" {
			remove = append(remove, name)
		}
	}
	req, err := request.Parse(request.Head{Method: r.GetMethod(), Scheme: r.GetScheme(), Authority: r.GetHost(), Path: r.GetPath(), Headers: list}, request.Limits{})
	if err != nil {
		var no *request.Refusal
		if errors.As(err, &no) {
			return authz.HTTPRequest{}, errors.New(no.Message)
		}
		return authz.HTTPRequest{}, errors.New("the request cannot be understood")
	}
	body := []byte(r.GetBody())
	if raw := r.GetRawBody(); len(raw) > 0 {
		body = raw
	}
	var of *request.Body
	if req.HasBody() {
		of = request.ReadCodedBody(list.Joined("content-type"), list.Joined("content-encoding"), body, request.Limits{})
		if r.GetSize() > int64(len(body)) {
			of = request.TooLarge() // the filter did not send all of it
		}
	}
	return authz.HTTPRequest{Action: req.Action(of), Path: req.Target(), Remove: remove}, nil
}
