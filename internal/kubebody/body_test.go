package kubebody

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	auth "k8s.io/api/authorization/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
)

const protobufType = "application/vnd.kubernetes.protobuf"

func encode(t testing.TB, obj runtime.Object, version schema.GroupVersion) []byte {
	t.Helper()
	s := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	var b bytes.Buffer
	if err := scheme.Codecs.EncoderForVersion(s, version).Encode(obj, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func objects() map[schema.GroupVersion][]runtime.Object {
	on := meta.Time{Time: meta.Now().Rfc3339Copy().Time}
	pod := core.PodTemplateSpec{ObjectMeta: meta.ObjectMeta{Labels: map[string]string{"b": "1", "a": "2", "c": ""}, CreationTimestamp: on,
		ManagedFields: []meta.ManagedFieldsEntry{{Manager: "x", Time: &on, FieldsV1: meta.NewFieldsV1(`{"f:a":{}}`)}}},
		Spec: core.PodSpec{HostNetwork: true, Containers: []core.Container{{Name: "c", Image: "i", Env: []core.EnvVar{{Name: "A", Value: "v"}},
			Resources:      core.ResourceRequirements{Limits: core.ResourceList{"cpu": resource.MustParse("1500m"), "memory": resource.MustParse("1Gi")}},
			LivenessProbe:  &core.Probe{ProbeHandler: core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Port: intstr.FromString("http")}}},
			ReadinessProbe: &core.Probe{ProbeHandler: core.ProbeHandler{TCPSocket: &core.TCPSocketAction{Port: intstr.FromInt32(80)}}}}}}}
	return map[schema.GroupVersion][]runtime.Object{
		core.SchemeGroupVersion: {&core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: "x"}, Data: map[string]string{"a": "b"}, BinaryData: map[string][]byte{"z": {0, 255}}},
			&core.Secret{Data: map[string][]byte{"k": []byte("v")}}, &core.Pod{Spec: pod.Spec, ObjectMeta: pod.ObjectMeta}, &core.Namespace{}, &core.ServiceAccount{},
			&core.Service{Spec: core.ServiceSpec{Ports: []core.ServicePort{{Port: 1, TargetPort: intstr.FromInt32(2)}}}},
			&core.Event{EventTime: meta.NowMicro(), FirstTimestamp: on}, &core.Binding{Target: core.ObjectReference{Name: "n"}},
			&core.List{Items: []runtime.RawExtension{{Raw: []byte(`{"kind":"Pod"}`)}}}, &meta.DeleteOptions{GracePeriodSeconds: new(int64)}},
		apps.SchemeGroupVersion: {&apps.Deployment{Spec: apps.DeploymentSpec{Replicas: new(int32), Template: pod}},
			&apps.ControllerRevision{Data: runtime.RawExtension{Raw: []byte(`{"spec":{}}`)}}},
		batch.SchemeGroupVersion:       {&batch.CronJob{Spec: batch.CronJobSpec{JobTemplate: batch.JobTemplateSpec{Spec: batch.JobSpec{Template: pod}}}}},
		autoscaling.SchemeGroupVersion: {&autoscaling.Scale{Spec: autoscaling.ScaleSpec{Replicas: 3}}},
		policy.SchemeGroupVersion:      {&policy.Eviction{DeleteOptions: &meta.DeleteOptions{}}},
		rbac.SchemeGroupVersion:        {&rbac.Role{Rules: []rbac.PolicyRule{{Verbs: []string{"get"}}}}},
		auth.SchemeGroupVersion:        {&auth.SelfSubjectAccessReview{}, &auth.SubjectAccessReview{Spec: auth.SubjectAccessReviewSpec{Extra: map[string]auth.ExtraValue{"a": {"b", "c"}}}}},
	}
}

// TestProtobuf: what the JSON says is the object that was sent.
func TestProtobuf(t *testing.T) {
	for version, list := range objects() {
		for _, obj := range list {
			got, kind, err := JSON(protobufType, encode(t, obj, version))
			if err != nil || kind != "application/json" {
				t.Errorf("%T: %v %s", obj, err, kind)
				continue
			}
			back, _, err := scheme.Codecs.UniversalDeserializer().Decode(got, nil, nil)
			if err != nil {
				t.Errorf("%T: %v in %s", obj, err, got)
				continue
			}
			if again, _, err := JSON(protobufType, encode(t, back, version)); err != nil || !bytes.Equal(again, got) {
				t.Errorf("%T: %s became %s (%v)", obj, got, again, err)
			}
		}
	}
	got, _, err := JSON(protobufType, encode(t, objects()[core.SchemeGroupVersion][2], core.SchemeGroupVersion))
	for _, want := range []string{`"hostNetwork":true`, `"kind":"Pod"`, `"apiVersion":"v1"`, `"cpu":"1500m"`, `"port":"http"`, `"port":80`, `"f:a"`, `"value":"v"`} {
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%v: no %s in %s", err, want, got)
		}
	}
}

// TestUnknown: what the types here do not know is not left out in silence, however deep.
func TestUnknown(t *testing.T) {
	envelope := func(raw []byte) []byte {
		e := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: "v1", Kind: "Pod"}, Raw: raw}
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte("k8s\x00"), b...)
	}
	pod := core.Pod{ObjectMeta: meta.ObjectMeta{Name: "x"}}
	good, err := pod.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	future := append([]byte{0xfa, 0x7d, 2}, "hi"...) // field 2015
	spec, err := (&core.PodSpec{NodeName: "n"}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	deep := append(append([]byte{0x12, byte(len(spec) + len(future))}, spec...), future...)
	for name, c := range map[string]struct {
		body []byte
		bad  bool
	}{
		"good":              {envelope(good), false},
		"nothing":           {envelope(nil), false},
		"less than default": {envelope([]byte{0x0a, 3, 0x0a, 1, 'x'}), false},
		"unknown":           {envelope(append(append([]byte{}, good...), future...)), true},
		"unknown within":    {envelope(deep), true},
		"spec twice":        {envelope(append(append([]byte{}, good...), deep[:2]...)), true},
		"name twice":        {envelope([]byte{0x0a, 6, 0x0a, 1, 'x', 0x0a, 1, 'y'}), true},
		"cut":               {envelope(good)[:20], true},
		"behind it":         {append(envelope(good), future...), true},
		"no magic":          {envelope(good)[4:], true},
		"empty":             {nil, true},
		"another kind":      {append([]byte("k8s\x00"), 0x0a, 8, 0x0a, 2, 'v', '1', 0x12, 2, 'N', 'o'), true},
	} {
		if out, _, err := JSON(protobufType, c.body); (err != nil) != c.bad || err != nil && !errors.Is(err, ErrBody) {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

func TestYAML(t *testing.T) {
	for in, want := range map[string]string{
		"a: {b: [1, yes, 'x']}\n":       `{"a":{"b":[1,true,"x"]}}`,
		`{"a": 1}`:                      `{"a":1}`,
		"a: &x 1\nb: *x\n":              "",
		"<<: &m {a: 1}\n":               "",
		"a: 1\na: 2\n":                  "",
		"a: 1\n---\nb: 2\n":             "",
		"a: [\n":                        "",
		strings.Repeat("a: {", 100):     "",
		strings.Repeat("- ", 100) + "a": "",
	} {
		got, kind, err := JSON("application/yaml; charset=utf-8", []byte(in))
		if want == "" && err == nil || want != "" && (err != nil || string(got) != want || kind != "application/json") {
			t.Errorf("%q: %s %s %v", in, got, kind, err)
		}
	}
	if got, kind, err := JSON("application/apply-patch+yaml", []byte("a: b")); string(got) != `{"a":"b"}` || kind != "application/apply-patch+yaml" || err != nil {
		t.Error(string(got), kind, err)
	}
	if got, kind, err := JSON("application/apply-patch+yaml", []byte(`{"a": "b"}`)); string(got) != `{"a": "b"}` || kind != "application/apply-patch+yaml" || err != nil {
		t.Error(string(got), kind, err)
	}
	if _, _, err := JSON("application/cbor", []byte{0xd9, 0xd9, 0xf7, 0xa0}); !errors.Is(err, ErrBody) {
		t.Error(err)
	}
}

func FuzzProtobuf(f *testing.F) {
	for version, list := range objects() {
		for _, obj := range list {
			f.Add(encode(f, obj, version))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		out, _, err := JSON(protobufType, b)
		if err == nil && !json.Valid(out) || err != nil && !errors.Is(err, ErrBody) {
			t.Errorf("%v %s", err, out)
		}
	})
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte("a: {b: [1, yes, 'x']}\nc: |\n  d\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, _, err := JSON("application/yaml", b)
		if err == nil && !json.Valid(out) || err != nil && !errors.Is(err, ErrBody) {
			t.Errorf("%v %s", err, out)
		}
	})
}
