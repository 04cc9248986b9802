package kube

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
)

// differs says how an API server's own reading of a request is another than ours; "" when it is not, or when we refuse.
func differs(method, path, query string) string {
	c, err := ParseCall(method, path, query)
	if err != nil {
		return ""
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return "the query is taken"
	}
	theirs := request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}
	info, err := theirs.NewRequestInfo(&http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}})
	if err != nil {
		return "they refuse it: " + err.Error()
	}
	if info.IsResourceRequest != (c.Path == "") {
		return "about a resource or not"
	}
	ours := []string{c.Verb, c.Group, c.Version, c.Resource, c.Subresource, c.Namespace, c.Name}
	is := []string{info.Verb, info.APIGroup, info.APIVersion, info.Resource, info.Subresource, info.Namespace, info.Name}
	if c.Name == "" && strings.ContainsAny(q.Get("fieldSelector"), `\,`) { // of one object with other terms we say that it is the collection
		is[6] = ""
	}
	if a, b := strings.Join(ours, " "), strings.Join(is, " "); a != b {
		return a + " is for them " + b
	}
	return ""
}

// TestRequestInfo: what we take, the API server's own code reads in the same way; requests are made of the pieces that matter.
func TestRequestInfo(t *testing.T) {
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	pieces := []string{"api", "apis", "v1", "apps", "rbac.authorization.k8s.io", "namespaces", "dev", "pods", "web", "deployments", "scale", "status", "finalize", "watch",
		"proxy", "log", "exec", "secrets", "db", "nodes", "metrics", "version", "healthz", "", "..", "Secrets", "a:b", "openapi"}
	queries := []string{"", "watch=1", "watch=true", "watch=false", "watch=0", "watch", "watch=TRUE", "watch=1&watch=0", "fieldSelector=metadata.name%3Ddb",
		"fieldSelector=metadata.name%3D%3Ddb", "fieldSelector=metadata.name%21%3Ddb", "fieldSelector=metadata.name%3Ddb%2Ctype%3Dx", "fieldSelector=metadata.namespace%3Ddev",
		"fieldSelector=metadata.name%3D..", "fieldSelector=metadata.name%3D", "labelSelector=a%3Db", "dryRun=All", "fieldSelector=metadata.name%3Ddb&watch=1", "limit=5"}
	r := rand.New(rand.NewPCG(1, 2))
	taken := 0
	for range 200_000 {
		parts := make([]string, 1+r.IntN(8))
		for i := range parts {
			parts[i] = pieces[r.IntN(len(pieces))]
		}
		switch r.IntN(4) { // most are about something
		case 0:
			parts = append([]string{"api", "v1"}, parts...)
		case 1:
			parts = append([]string{"apis", "apps", "v1"}, parts...)
		case 2:
			parts = append([]string{"api", "v1", "namespaces", "dev"}, parts...)
		}
		method, path, query := methods[r.IntN(len(methods))], "/"+strings.Join(parts, "/"), queries[r.IntN(len(queries))]
		if why := differs(method, path, query); why != "" {
			t.Errorf("%s %s?%s: %s", method, path, query, why)
		}
		if _, err := ParseCall(method, path, query); err == nil {
			taken++
		}
	}
	if taken < 20_000 {
		t.Errorf("only %d are taken", taken)
	}
}

func FuzzRequestInfo(f *testing.F) {
	f.Add("GET", "/api/v1/namespaces/dev/pods/web/log", "follow=1")
	f.Add("GET", "/api/v1/watch/namespaces/dev/secrets", "fieldSelector=metadata.name%3Ddb")
	f.Add("DELETE", "/apis/apps/v1/deployments", "dryRun=All")
	f.Fuzz(func(t *testing.T, method, path, query string) {
		if q, err := url.ParseQuery(query); err == nil {
			for name := range q { // numbers that are none: they then list all, and refuse that
				if name != "watch" && name != "fieldSelector" {
					return
				}
			}
		}
		if why := differs(method, path, query); why != "" {
			t.Error(why)
		}
	})
}
