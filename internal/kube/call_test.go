package kube

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

func TestParseCall(t *testing.T) {
	for _, c := range []struct{ method, path, query, want string }{
		{"GET", "/api/v1/namespaces/dev/pods", "", "list pods dev/"},
		{"GET", "/api/v1/namespaces/dev/pods", "watch=1", "watch pods dev/"},
		{"GET", "/api/v1/namespaces/dev/pods", "watch", "watch pods dev/"},
		{"GET", "/api/v1/namespaces/dev/pods", "watch=FALSE", "list pods dev/"},
		{"GET", "/api/v1/namespaces/dev/pods", "watch=no", "watch pods dev/"},
		{"GET", "/api/v1/namespaces/dev/pods/web", "watch=1", "get pods dev/web"},
		{"HEAD", "/api/v1/pods", "", "list pods /"},
		{"GET", "/api/v1/secrets", "fieldSelector=metadata.name%3Ddb", "list secrets /db"},
		{"GET", "/api/v1/secrets", "fieldSelector=metadata.name%3Ddb%2Ctype%3DOpaque", "list secrets /"},
		{"POST", "/apis/apps/v1/namespaces/dev/deployments", "dryRun=All", "create deployments.apps dev/"},
		{"PATCH", "/apis/apps/v1/namespaces/dev/deployments/web/scale", "", "patch deployments.apps/scale dev/web"},
		{"DELETE", "/api/v1/namespaces/dev/pods", "", "deletecollection pods dev/"},
		{"DELETE", "/api/v1/namespaces/dev", "", "delete namespaces dev/dev"},
		{"PUT", "/api/v1/namespaces/dev/finalize", "", "update namespaces/finalize dev/dev"},
		{"GET", "/api/v1/namespaces/dev/status", "", "get namespaces/status dev/dev"},
		{"GET", "/api/v1/namespaces", "", "list namespaces /"},
		{"GET", "/api/v1/nodes/n1/proxy/pods", "", "get nodes/proxy /n1"},
		{"GET", "/api/v1/watch/namespaces/dev/secrets/db", "", "watch secrets dev/db"},
		{"GET", "/api/v1/proxy/nodes/n1/logs", "", "proxy nodes/proxy /n1"},
		{"GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node", "", "get clusterroles.rbac.authorization.k8s.io /system:node"},
		{"GET", "/apis/apps/v1", "", "get  /apis/apps/v1"},
		{"GET", "/api", "", "get  /api"}, {"GET", "/version", "timeout=32s", "get  /version"}, {"GET", "/", "", "get  /"},
		{"GET", "/api/v1/namespaces/dev/pods/web/log", "follow=true&container=a", "get pods/log dev/web"},
	} {
		got, err := ParseCall(c.method, c.path, c.query)
		if err != nil {
			t.Error(c.path, err)
			continue
		}
		a := got.Action(c.method, c.path, "", nil)
		o := slices.Concat(a.Reads, a.Writes)[0]
		if s := got.Verb + " " + o.Schema + " " + o.Name; s != c.want {
			t.Errorf("%s %s?%s: %q, want %q", c.method, c.path, c.query, s, c.want)
		}
	}
}

func TestRefusedCalls(t *testing.T) {
	for _, c := range []string{
		"GET //api/v1/secrets", "GET /api//v1/secrets", "GET /api/v1/./secrets", "GET /api/v1/pods/../secrets", "GET /api/v1/%73ecrets",
		"GET /api/v1/namespaces/dev%2Fsecrets", "GET /api/v1/Secrets", "GET /API/v1/secrets", "GET /api/v1/secrets/", "GET /api/v1/secrets;x=1",
		"GET /api/V1/secrets", "GET /apis/APPS/v1/deployments", "GET /api/v1/namespaces/Dev/pods", "GET /api/v1/namespaces/a.b/pods",
		"GET /api/v1/namespaces/dev/secrets/db/data/password", "GET /api/v1/namespaces/dev/pods?watch=0&watch=1",
		"GET /api/v1/pods?fieldSelector=a&fieldSelector=b", "GET /api/v1/pods?a;b", "GET /api/v1/pods?watch=%zz", "OPTIONS /api/v1/pods",
		"TRACE /version", "CONNECT /api/v1/pods", "PUT /api/v1/pods", "PATCH /api/v1/pods", "POST /api/v1/watch/pods", "GET /api/v1/watch",
		"GET api/v1/pods", `GET /api/v1\pods`, "GET /api/v1/pods#x", "GET /api/v1/se\x00crets", "GET /api/v1/a.b/c", "GETX /api/v1/pods",
		"DELETE /api/v1/namespaces/dev/pods?dryRun=All&dryRun=", "GET /api/v1/namespaces//secrets", "GET /api/v1/namespaces/dev/secrets//db",
		"GET /apis/../api/v1/secrets", "GET /healthz/../api/v1/secrets", "GET /healthz/%2e%2e/api/v1/secrets", "GET /api/v1/\u017fecrets",
	} {
		method, target, _ := strings.Cut(c, " ")
		path, query, _ := strings.Cut(target, "?")
		if got, err := ParseCall(method, path, query); !errors.Is(err, ErrCall) {
			t.Errorf("%s is taken: %+v %v", c, got, err)
		}
	}
}

func TestFeatures(t *testing.T) {
	const pods = "/api/v1/namespaces/dev/pods"
	for _, c := range []struct{ method, path, ctype, body, want string }{
		{"POST", pods, "", `{"spec":{"volumes":[{"hostPath":{"path":"/"}}]}}`, FeatureHostPath},
		{"POST", pods, "", `{"spec":{"containers":[{"securityContext":{"privileged":true}}]}}`, FeaturePrivileged},
		{"POST", pods, "", `{"spec":{"containers":[{"securityContext":{"capabilities":{"add":["SYS_ADMIN"]}}}]}}`, FeaturePrivileged},
		{"POST", pods, "", `{"spec":{"hostPID":true}}`, FeatureHostSpace},
		{"POST", pods, "", `{"spec":{"containers":[{"env":[{"valueFrom":{"secretKeyRef":{"name":"db"}}}]}]}}`, FeatureSecretUse},
		{"POST", pods, "", `{"spec":{"volumes":[{"secret":{"secretName":"db"}}]}}`, FeatureSecretUse},
		{"POST", pods, "", `{"spec":{"containers":[{"image":"a:1"}]}}`, FeatureImage},
		{"POST", pods, "", `{"a":1,"a":2}`, action.FeatureUnparsed},
		{"POST", pods, "", `{"a":1}{"b":2}`, action.FeatureUnparsed},
		{"POST", pods, "application/yaml", "a: 1", action.FeatureUnparsed},
		{"POST", pods, "application/vnd.kubernetes.protobuf", "k8s\x00x", action.FeatureUnparsed},
		{"POST", pods, "application/cbor", "\xd9\xd9\xf7\xa0", action.FeatureUnparsed},
		{"PATCH", pods + "/a", "application/json", `{}`, action.FeatureUnparsed},
		{"PATCH", pods + "/a", "application/apply-patch+yaml", "a: 1", action.FeatureUnparsed},
		{"PATCH", pods + "/a", "application/apply-patch+yaml", `{"spec":{"hostNetwork":true}}`, FeatureHostSpace},
		{"PATCH", pods + "/a", "application/json-patch+json", `[{"op":"add","path":"/spec/hostNetwork","value":true}]`, FeatureHostSpace},
		{"PATCH", pods + "/a", "application/json-patch+json", `[{"op":"add","path":"/spec/volumes/-","value":{"hostPath":{}}}]`, FeatureHostPath},
		{"PATCH", pods + "/a", "application/json-patch+json", `[{"op":"test","path":"/data/a","value":"x"}]`, FeatureOpaquePatch},
		{"PATCH", pods + "/a", "application/json-patch+json", `[{"op":"copy","from":"/data/a","path":"/metadata/annotations/a"}]`, FeatureOpaquePatch},
		{"POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "", `{}`, FeatureRBAC},
		{"POST", "/api/v1/namespaces/dev/serviceaccounts/d/token", "", `{}`, FeatureCredentials},
		{"POST", "/api/v1/namespaces/dev/secrets", "", `{"type":"kubernetes.io/service-account-token"}`, FeatureCredentials},
		{"POST", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", "", `{}`, FeatureExtends},
		{"GET", "/api/v1/nodes/n/proxy/configz", "", "", FeatureProxy},
		{"PUT", "/debug/flags/v", "text/plain", "9", FeatureExtends},
		{"DELETE", pods + "/a", "", `{"dryRun":["All"]}`, FeatureDryRun},
		{"POST", "/api/v1/persistentvolumes", "", `{"spec":{"csi":{"nodePublishSecretRef":{"name":"db"}}}}`, FeatureSecretUse},
		{"POST", pods, "", `{"spec":{"volumes":[{"azureFile":{"secretName":"db"}}]}}`, FeatureSecretUse},
		{"POST", pods, "", `{"spec":{"volumes":[{"projected":{"sources":[{"secret":{"name":"db"}}]}}]}}`, FeatureSecretUse},
		{"POST", "/apis/storage.k8s.io/v1/storageclasses", "", `{"parameters":{"csi.storage.k8s.io/provisioner-secret-name":"db"}}`, FeatureSecretUse},
		{"PATCH", "/api/v1/namespaces/dev/serviceaccounts/a", "application/merge-patch+json", `{"secrets":[{"name":"db"}]}`, FeatureSecretUse},
		{"GET", "/api/v1/proxy/namespaces/dev/pods/a", "", "", FeatureProxy},
	} {
		call, err := ParseCall(c.method, c.path, "")
		if err != nil {
			t.Error(c.path, err)
			continue
		}
		if a := call.Action(c.method, c.path, c.ctype, []byte(c.body)); !a.Has(c.want) {
			t.Errorf("%s %s %s: %v has no %s", c.method, c.path, c.body, a.Features, c.want)
		}
	}
}

// TestWhatCounts: what a server takes of several that say the same, and what a request may do beside what it is called.
func TestWhatCounts(t *testing.T) {
	act := func(method, target, ctype, body string) action.Action {
		path, query, _ := strings.Cut(target, "?")
		c, err := ParseCall(method, path, query)
		if err != nil {
			t.Fatal(target, err)
		}
		return c.Action(method, target, ctype, []byte(body))
	}
	const pod = "/api/v1/namespaces/dev/pods/a"
	if a := act("DELETE", pod+"?dryRun=All", "", `{"propagationPolicy":"Foreground"}`); a.Has(FeatureDryRun) {
		t.Error("the options in a deletion's body count, and they are of no dry run")
	}
	if a := act("DELETE", pod+"?dryRun=All", "", ""); !a.Has(FeatureDryRun) {
		t.Error("a dry run is none")
	}
	if a := act("POST", "/api/v1/nodes/n/proxy/run?dryRun=All", "", ""); a.Has(FeatureDryRun) {
		t.Error("what is passed on is no dry run")
	}
	if a := act("PATCH", pod, "application/apply-patch+yaml", `{"kind":"Pod"}`); !slices.Equal(a.Verbs, []string{"create", "patch"}) {
		t.Errorf("an apply makes what is not there: %v", a.Verbs)
	}
	for path, verbs := range map[string][]string{
		"/api/v1/namespaces/dev/services/a":                     {"create", "update"},
		"/apis/rbac.authorization.k8s.io/v1/clusterroles/admin": {"create", "update"},
		"/apis/coordination.k8s.io/v1/namespaces/dev/leases/a":  {"create", "update"},
		"/api/v1/namespaces/dev/services/a/status":              {"update"},
		"/apis/example.com/v1/namespaces/dev/services/a":        {"update"},
		pod: {"update"},
	} {
		if a := act("PUT", path, "application/json", `{}`); !slices.Equal(a.Verbs, verbs) {
			t.Errorf("PUT %s has the verbs %v, not %v", path, a.Verbs, verbs)
		}
	}
	if a := act("POST", "/apis/networking.k8s.io/v1/namespaces/dev/ingresses", "", `{"spec":{"tls":[{"secretName":"cert"}]}}`); a.Has(FeatureSecretUse) {
		t.Error("an ingress shows no secret")
	}
	if _, err := ParseCall("GET", pod+"/log", "insecureSkipTLSVerifyBackend=true"); !errors.Is(err, ErrCall) {
		t.Error("the API server is told to believe anybody")
	}
}

func TestSelected(t *testing.T) {
	for in, want := range map[string]string{"": "", "a=b": "a", "a=b,c!=d": "a c", "a in (x,y), !b,c notin (z)": "a b c", "x.io/tier": "x.io/tier", "a==b,  c": "a c", "n>5": "n"} {
		if got := strings.Join(SelectedLabels(in), " "); got != want {
			t.Errorf("labels of %q: %q", in, got)
		}
	}
	for in, want := range map[string]string{"": "", "metadata.name=a": "metadata.name", "spec.a!=b,spec.c==d": "spec.a spec.c"} {
		if got := strings.Join(SelectedFields(in), " "); got != want {
			t.Errorf("fields of %q: %q", in, got)
		}
	}
}

func TestDocuments(t *testing.T) {
	for _, c := range []struct {
		ctype, body string
		want        int
	}{{"", `{"a":1}`, 1}, {"application/json-patch+json", `[{"op":"add","path":"/a/0","value":1},{"op":"remove","path":"/b"}]`, 1}, {"", `{"a":1,"a":2}`, 0}} {
		if got := Documents(c.ctype, []byte(c.body)); len(got) != c.want {
			t.Errorf("%s: %v", c.body, got)
		}
	}
}

// FuzzParseCall: what is taken is in lower case and normal form, and has a verb.
func FuzzParseCall(f *testing.F) {
	f.Add("GET", "/api/v1/namespaces/dev/pods/web/log", "follow=1", []byte(`[{"op":"add","path":"/a/0/b","value":{"image":"x"}}]`))
	f.Add("PATCH", "/apis/apps/v1/deployments/x", "dryRun=All", []byte(`{"a":[{"b":null}]}`))
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte) {
		c, err := ParseCall(method, path, query)
		if err != nil {
			return
		}
		if c.Verb == "" || (c.Path == "") == (c.Resource == "") || strings.Contains(path, "//") || strings.Contains(path, "%") {
			t.Errorf("%q %q: %+v", method, path, c)
		}
		SelectedLabels(c.LabelSelector)
		SelectedFields(c.FieldSelector)
		for _, ct := range []string{"", "application/json-patch+json", "application/apply-patch+yaml"} {
			c.Action(method, path, ct, body)
			Documents(ct, body)
		}
	})
}
