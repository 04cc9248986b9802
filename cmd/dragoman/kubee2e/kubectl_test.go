//go:build kube

package kubee2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKubectl: what people do with kubectl works as it is, whatever form its bodies have: create sends protobuf, apply and
// patch send JSON, and so on. Each step goes through the gateway; the last of a chain is read from the cluster itself.
func TestKubectl(t *testing.T) {
	token, dir := shared.token(t, "ops"), t.TempDir()
	for name, text := range map[string]string{
		"cm.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: k-file}, data: {a: one}}",
		"two.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: k-file}, data: {a: two}}\n---\n" +
			"{apiVersion: v1, kind: ConfigMap, metadata: {name: k-more}, data: {a: more}}",
		"edit.sh": "#!/bin/sh\nexec sed -i 's/a: two/a: edited/' \"$1\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const image = "--image=docker.io/local/busybox:1"
	for _, c := range []struct{ args, want string }{
		{"create configmap k-cm --from-literal=a=b", "configmap/k-cm created"},
		{"create secret generic k-secret --from-literal=p=q", "secret/k-secret created"},
		{"create deployment k-web " + image + " --replicas=0 -- sleep 1000", "deployment.apps/k-web created"},
		{"create service clusterip k-svc --tcp=80:80", "service/k-svc created"},
		{"create serviceaccount k-sa", "serviceaccount/k-sa created"},
		{"create namespace k-ns", "namespace/k-ns created"},
		{"create quota k-quota --hard=pods=100", "resourcequota/k-quota created"},
		{"create job k-job " + image + " -- true", "job.batch/k-job created"},
		{"create cronjob k-cron " + image + " --schedule=0_0_*_*_* -- true", "cronjob.batch/k-cron created"},
		{"create ingress k-ing --rule=a.example/=k-svc:80", "ingress.networking.k8s.io/k-ing created"},
		{"create poddisruptionbudget k-pdb --selector=app=k-web --min-available=1", "poddisruptionbudget.policy/k-pdb created"},
		{"create priorityclass k-prio --value=10", "priorityclass.scheduling.k8s.io/k-prio created"},
		{"create -f DIR/cm.yaml", "configmap/k-file created"},
		{"apply -f DIR/two.yaml", "configmap/k-more created"},
		{"apply --server-side --force-conflicts -f DIR/two.yaml", "configmap/k-file serverside-applied"},
		{"edit configmap k-file", "configmap/k-file edited"},
		{"replace -f DIR/cm.yaml", "configmap/k-file replaced"},
		{"diff -f DIR/cm.yaml", ""},
		{"scale deployment k-web --replicas=0", "deployment.apps/k-web scaled"},
		{"label deployment k-web tier=front", "deployment.apps/k-web labeled"},
		{"annotate deployment k-web note=x", "deployment.apps/k-web annotate"},
		{"set image deployment/k-web busybox=docker.io/local/busybox:2", "image updated"},
		{"set env deployment/k-web MODE=fast", "env updated"},
		{"set resources deployment/k-web --limits=cpu=1", "resource requirements updated"},
		{"set serviceaccount deployment/k-web k-sa", "serviceaccount updated"},
		{"rollout restart deployment/k-web", "restarted"},
		{"rollout pause deployment/k-web", "paused"},
		{"rollout resume deployment/k-web", "resumed"},
		{"autoscale deployment k-web --min=1 --max=2", "autoscaled"},
		{"expose deployment k-web --port=80", "service/k-web exposed"},
		{`patch configmap k-more -p={"data":{"a":"strategic"}}`, "patched"},
		{`patch configmap k-more --type=merge -p={"data":{"b":"merge"}}`, "patched"},
		{`patch configmap k-more --type=json -p=[{"op":"add","path":"/data/c","value":"json"}]`, "patched"},
		{"run k-pod " + image + " --image-pull-policy=Never --restart=Never -- sh -c echo_hello", "pod/k-pod created"},
		{"cordon localhost", "node/localhost cordoned"},
		{"uncordon localhost", "node/localhost uncordoned"},
		{"taint node localhost k=v:PreferNoSchedule", "node/localhost tainted"},
		{"describe deployment k-web", "tier=front"},
		{"auth can-i create pods", "yes"},
		{"auth whoami", "agent:ci-bot"},
		{"explain deployment.spec.replicas", "replicas"},
		{"get configmaps -l !x -o name", "configmap/k-more"},
		{"wait --for=jsonpath={.data.c}=json configmap/k-more --timeout=30s", "condition met"},
		{"delete pod k-pod --wait=false", "deleted"},
		{"delete configmap k-cm k-file", `configmap "k-file" deleted`},
		{"delete deployment,service,ingress,hpa,job,cronjob,secret,sa,quota,pdb -l !none --field-selector=metadata.name!=kubernetes,metadata.name!=gateway,metadata.name!=default,metadata.name!=shop,metadata.name!=own,metadata.name!=db --wait=false", "deleted"},
	} {
		words := strings.Fields(strings.ReplaceAll(c.args, "DIR", dir))
		for i, w := range words { // a blank within a word
			words[i] = strings.ReplaceAll(w, "_", " ")
		}
		cmd := shared.kubectl(t, token, words...)
		cmd.Env = append(cmd.Env, "KUBE_EDITOR="+filepath.Join(dir, "edit.sh"))
		if o, e, code := output(t, cmd, ""); code != 0 || !strings.Contains(o, c.want) {
			t.Errorf("kubectl %s: %d\n%s%s", c.args, code, o, e)
		}
	}
	out, err := shared.cluster.Kubectl(context.Background(), "get", "configmap", "k-more", "-o", "jsonpath={.data}")
	if want := `{"a":"strategic","b":"merge","c":"json"}`; err != nil || string(out) != want {
		t.Errorf("%v %s", err, out)
	}
	for _, args := range [][]string{{"delete", "configmap", "k-more"}, {"delete", "priorityclass", "k-prio"}, {"taint", "node", "localhost", "k-"}} { // for a run after this
		if _, err := shared.cluster.Kubectl(context.Background(), args...); err != nil {
			t.Error(err)
		}
	}
}
