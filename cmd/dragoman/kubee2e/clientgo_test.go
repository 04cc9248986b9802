//go:build kube

package kubee2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

// url is where clients reach the gateway's target.
func (r *rig) url() string { return fmt.Sprintf("https://127.0.0.1:%d", r.port) }

// TestClientGo: the Go client with protobuf both ways: create, list, watch, update, patch, delete; and its two executors.
func TestClientGo(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cfg := &rest.Config{Host: shared.url(), BearerToken: shared.token(t, "ops"), TLSClientConfig: rest.TLSClientConfig{CAFile: shared.cluster.CAFile},
		ContentConfig: rest.ContentConfig{ContentType: "application/vnd.kubernetes.protobuf", AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json"}}
	client, err := typed.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	maps := client.ConfigMaps("default")
	w, err := maps.Watch(ctx, meta.ListOptions{LabelSelector: "by=client-go", ResourceVersion: "0"}) // from whatever the server knows
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	made, err := maps.Create(ctx, &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: "go", Labels: map[string]string{"by": "client-go"}}, Data: map[string]string{"a": "one"}}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Data["a"] = "two"
	if _, err := maps.Update(ctx, made, meta.UpdateOptions{}); err != nil {
		t.Error(err)
	}
	if got, err := maps.Patch(ctx, "go", types.StrategicMergePatchType, []byte(`{"data":{"b":"three"}}`), meta.PatchOptions{}); err != nil || got.Data["a"] != "two" || got.Data["b"] != "three" {
		t.Error(got, err)
	}
	if list, err := maps.List(ctx, meta.ListOptions{LabelSelector: "by=client-go"}); err != nil || len(list.Items) != 1 || list.Items[0].Data["b"] != "three" {
		t.Error(list, err)
	}
	if err := maps.Delete(ctx, "go", meta.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	var kinds []watch.EventType
	for len(kinds) == 0 || kinds[len(kinds)-1] != watch.Deleted {
		e, ok := <-w.ResultChan()
		if !ok {
			break
		}
		if kinds = append(kinds, e.Type); e.Type == watch.Error {
			t.Fatalf("%+v", e.Object)
		}
	}
	if len(kinds) != 4 { // added, modified twice, deleted
		t.Errorf("the watch saw %v", kinds)
	}
	secret, err := client.Secrets("default").Create(ctx, &core.Secret{ObjectMeta: meta.ObjectMeta{Name: "go"}, Data: map[string][]byte{"k": []byte("by client-go")}}, meta.CreateOptions{})
	if err != nil || string(secret.Data["k"]) != "[redacted]" {
		t.Errorf("%v %v", secret, err)
	}
	if secret != nil { // it would overwrite the value
		if _, err := client.Secrets("default").Update(ctx, secret, meta.UpdateOptions{}); !errors.IsForbidden(err) {
			t.Error(err)
		}
	}
	if err := client.Secrets("default").Delete(ctx, "go", meta.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	evil := &core.Pod{ObjectMeta: meta.ObjectMeta{Name: "evil"}, Spec: core.PodSpec{HostPID: true, Containers: []core.Container{{Name: "c", Image: "i"}}}}
	if _, err := client.Pods("default").Create(ctx, evil, meta.CreateOptions{}); !errors.IsForbidden(err) || !strings.Contains(err.Error(), "dragoman") {
		t.Errorf("a dangerous pod in protobuf: %v", err)
	}
	executors(t, ctx, cfg, client)
}

func executors(t *testing.T, ctx context.Context, cfg *rest.Config, client *typed.CoreV1Client) {
	at := client.RESTClient().Post().Resource("pods").Namespace("default").Name("shell").SubResource("exec").
		Param("command", "sh").Param("command", "-c").Param("command", "cat; exit 3").Param("stdin", "true").Param("stdout", "true").Param("stderr", "true").URL()
	for name, make := range map[string]func(*rest.Config, string, *url.URL) (remotecommand.Executor, error){
		"SPDY": remotecommand.NewSPDYExecutor,
		"WebSocket": func(c *rest.Config, _ string, u *url.URL) (remotecommand.Executor, error) {
			return remotecommand.NewWebSocketExecutor(c, "GET", u.String())
		},
	} {
		e, err := make(cfg, http.MethodPost, at)
		if err != nil {
			t.Fatal(err)
		}
		// More than both connections hold: neither side waits for the other.
		want := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
		var out, errs bytes.Buffer
		err = e.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: bytes.NewReader(want), Stdout: &out, Stderr: &errs})
		if err == nil || !strings.Contains(err.Error(), "exit code 3") || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s: %v, %d bytes, %s", name, err, out.Len(), &errs)
		}
	}
}
