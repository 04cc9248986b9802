package http

import (
	"encoding/json"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/kube"
)

func TestJSONOnly(t *testing.T) {
	for in, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "application/vnd.kubernetes.protobuf": "application/json", "application/cbor, */*": "application/json",
		"application/json;as=Table;v=v1;g=meta.k8s.io,application/json":          "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
		"application/vnd.kubernetes.protobuf;as=Table;v=v1,application/json;q=1": "application/json;q=1",
		"application/json-seq, application/yaml":                                 "application/json",
	} {
		if got := jsonOnly(in, true); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	if got := jsonOnly("application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", false); strings.Contains(got, "Table") || !strings.Contains(got, "Partial") {
		t.Errorf("without tables: %q", got)
	}
}

func TestStatus(t *testing.T) {
	c, err := kube.ParseCall("DELETE", "/apis/apps/v1/namespaces/dev/deployments/web", "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(statusOf(&problem{Status: 403, Code: "held", Rule: "prod", Detail: "people decide", Hold: "hld_1"}, c))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kind":"Status"`, `"reason":"Forbidden"`, `"code":403`, `"message":"dragoman: people decide (rule prod)"`,
		`"kind":"deployments"`, `"name":"web"`, `"message":"hld_1"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
}
