package check

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
)

func sampleOpen() OpenRequest {
	return OpenRequest{Target: "shop", Node: "gw", Token: "s3cret-token",
		Session: policy.Session{Client: "10.0.0.9:4711", Application: "psql", Started: time.Unix(1, 2).UTC()}}
}

func sampleOpened() OpenResponse {
	id := identity.New("user:alice", "agent:ci")
	return OpenResponse{Session: "ses_1", Identity: id, Target: policy.Target{Name: "shop", Protocol: "postgres"},
		Decision:    policy.Decision{Verdict: policy.Allow, Rule: "r", Timeout: 1<<53 + 1},
		Credentials: Credentials{User: "app", Password: "s3cret-password"}, MaskKey: []byte("s3cret-mask-key"), Ends: time.Unix(9, 9).UTC()}
}

func TestRoundTrip(t *testing.T) {
	wire, err := EncodeOpen(sampleOpen())
	if err != nil {
		t.Fatal(err)
	}
	q, err := DecodeQuestion(through(t, wire, new(auth.CheckRequest)))
	if err != nil || !reflect.DeepEqual(*q.Open, sampleOpen()) || q.Hold != nil {
		t.Fatalf("%+v %v", q.Open, err)
	}
	res, err := EncodeOpened(sampleOpened())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeOpened(through(t, res, new(auth.CheckResponse))); err != nil || !reflect.DeepEqual(got, sampleOpened()) {
		t.Fatalf("%#v %v", got, err)
	}
	h := HoldRequest{Node: "gw", Hold: hold.Hold{ID: "hld_1", Action: action.Action{Text: "DELETE \xff"}, Digest: "d"}}
	if wire, err = EncodeHold(h); err != nil {
		t.Fatal(err)
	}
	if q, err = DecodeQuestion(through(t, wire, new(auth.CheckRequest))); err != nil || q.Hold.Hold.ID != "hld_1" || q.Open != nil {
		t.Fatalf("%+v %v", q, err)
	}
	for _, state := range []hold.State{hold.Used, hold.Denied} {
		res, err := EncodeHeld(HoldResponse{State: state, Digest: "d"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeHeld(through(t, res, new(auth.CheckResponse))); err != nil || got.State != state {
			t.Fatalf("%+v %v", got, err)
		}
	}
}

func through[M proto.Message](t *testing.T, in, out M) M {
	t.Helper()
	b, err := proto.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRefusal(t *testing.T) {
	for code, want := range map[string]codes.Code{CodeUnauthenticated: codes.Unauthenticated, CodeForbidden: codes.PermissionDenied,
		CodeUnavailable: codes.Unavailable, "": codes.PermissionDenied} {
		res, err := EncodeRefusal(&Refusal{Code: code, Message: "no"})
		if err != nil || codes.Code(res.Status.Code) != want {
			t.Errorf("%s: %v %v", code, res, err)
		}
		var r *Refusal
		if _, err := DecodeOpened(res); !errors.As(err, &r) || r.Code != code {
			t.Errorf("%s: %v", code, err)
		}
		if _, err := DecodeHeld(res); !errors.As(err, &r) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// An answer that contradicts itself opens nothing.
func TestAnswersRefused(t *testing.T) {
	answerOf := func(code codes.Code, body string) *auth.CheckResponse {
		res, _ := encodeAnswer(code, answer{})
		res.DynamicMetadata.Fields[KeyAnswer].Kind = stringKind(body)
		return res
	}
	for name, res := range map[string]*auth.CheckResponse{
		"nil":                {},
		"stock OK":           {HttpResponse: &auth.CheckResponse_OkResponse{}},
		"empty":              answerOf(codes.OK, `{}`),
		"both":               answerOf(codes.OK, `{"open":{},"refusal":{}}`),
		"open, status no":    answerOf(codes.PermissionDenied, `{"open":{}}`),
		"used, status no":    answerOf(codes.PermissionDenied, `{"hold":{"state":"used"}}`),
		"pending, status OK": answerOf(codes.OK, `{"hold":{"state":"pending"}}`),
		"unknown field":      answerOf(codes.OK, `{"open":{"must_mask":true}}`),
		"duplicate":          answerOf(codes.OK, `{"hold":{"state":"denied","state":"used"}}`),
		"not JSON":           answerOf(codes.OK, `x`),
	} {
		if _, err := DecodeOpened(res); err == nil {
			t.Errorf("%s: opened", name)
		}
		if _, err := DecodeHeld(res); err == nil {
			t.Errorf("%s: held", name)
		}
	}
}

func TestQuestionsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		ext  map[string]string
		want error
	}{
		"stock":   {nil, ErrNotOurs},
		"version": {map[string]string{KeyQuestion: "open", KeyVersion: "2", KeyRequest: "{}"}, ErrVersion},
		"kind":    {map[string]string{KeyQuestion: "close", KeyVersion: Version, KeyRequest: "{}"}, ErrMalformed},
		"body":    {map[string]string{KeyQuestion: "open", KeyVersion: Version, KeyRequest: `{"token":"s3cret",}`}, ErrMalformed},
		"unknown": {map[string]string{KeyQuestion: "open", KeyVersion: Version, KeyRequest: `{"s3cret":1}`}, ErrMalformed},
	} {
		_, err := DecodeQuestion(&auth.CheckRequest{Attributes: &auth.AttributeContext{ContextExtensions: c.ext}})
		if !errors.Is(err, c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := EncodeHold(HoldRequest{Hold: hold.Hold{Rule: strings.Repeat("a", MaxMessage)}}); err == nil {
		t.Error("over the limit")
	}
}

func TestSecretsStayHidden(t *testing.T) {
	open, opened := sampleOpen(), sampleOpened()
	var buf bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{open, &open, opened, &opened, opened.Credentials, &opened.Credentials,
			struct{ C Credentials }{opened.Credentials}, []OpenRequest{open}, map[string]OpenResponse{"a": opened}} {
			fmt.Fprintf(&buf, verb, v)
		}
	}
	for _, l := range []*slog.Logger{slog.New(slog.NewTextHandler(&buf, nil)), slog.New(slog.NewJSONHandler(&buf, nil))} {
		l.Info("x", "a", open, "b", opened, "c", opened.Credentials, "d", &open)
	}
	for _, s := range []string{"s3cret", fmt.Sprintf("%x", "s3cret"), "115 51 99"} {
		if strings.Contains(buf.String(), s) {
			t.Errorf("%q leaks:\n%s", s, buf.String())
		}
	}
	if !strings.Contains(buf.String(), "[redacted]") {
		t.Error("nothing says that there was a secret")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("open", `{"target":"a"}`)
	f.Add("hold", `{"node":"a","hold":{"id":"x","action":{"params":[{"value":"1"}]}}}`)
	f.Fuzz(func(t *testing.T, kind, body string) {
		q, err := DecodeQuestion(&auth.CheckRequest{Attributes: &auth.AttributeContext{ContextExtensions: map[string]string{
			KeyQuestion: kind, KeyVersion: Version, KeyRequest: body}}})
		if err == nil && (q.Open == nil) == (q.Hold == nil) {
			t.Fatal("not exactly one question")
		}
		res := &auth.CheckResponse{}
		if a, err := EncodeRefusal(&Refusal{}); err == nil {
			res = a
		}
		res.DynamicMetadata.Fields[KeyAnswer].Kind = stringKind(body)
		if h, err := DecodeHeld(res); err == nil && h.State == hold.Used {
			t.Fatal("used by a response whose status is not OK")
		}
	})
}
