package kube

import (
	"reflect"
	"regexp"
	"testing"
)

func TestParseStream(t *testing.T) {
	const at = "/api/v1/namespaces/default/pods/web-0.x/"
	for _, c := range []struct {
		path, query string
		want        *Stream
	}{
		{at + "exec", "command=ls&command=-l&stdout=true&stderr=true", &Stream{Subresource: "exec", Command: []string{"ls", "-l"}, Stdout: true, Stderr: true}},
		{at + "exec", "command=sh&stdin=true&stdout=1&tty=true&stderr=true&container=c", &Stream{Subresource: "exec", Command: []string{"sh"}, Stdin: true, Stdout: true, TTY: true, Container: "c"}},
		{at + "attach", "stdout=true", &Stream{Subresource: "attach", Stdout: true}},
		{at + "portforward", "", &Stream{Subresource: "portforward"}},
		{at + "portforward", "ports=80,81&ports=82", &Stream{Subresource: "portforward", Ports: []uint16{80, 81, 82}}},
		{at + "exec", "command=ls", nil},
		{at + "exec", "stdout=true", nil},
		{at + "exec", "command=&stdout=true", nil},
		{at + "exec", "command=ls&stdout=true&stdout=false", nil},
		{at + "exec", "command=ls&stdout=yes", nil},
		{at + "exec", "command=ls&stdout=true&Command=rm", nil},
		{at + "exec", "command=ls;command=rm&stdout=true", nil},
		{at + "exec", "command=%zz&stdout=true", nil},
		{at + "exec", "command=ls&stdout=true&container=../x", nil},
		{at + "attach", "command=ls&stdout=true", nil},
		{at + "portforward", "stdout=true", nil},
		{at + "portforward", "ports=0", nil},
		{at + "portforward", "ports=80,80", nil},
		{at + "exec/", "command=ls&stdout=true", nil},
		{at + "log", "", nil},
		{"/api/v1/namespaces/default/pods/../exec", "command=ls&stdout=true", nil},
		{"/api/v1/namespaces/default/pods/%77eb/exec", "command=ls&stdout=true", nil},
		{"/api/v1//namespaces/default/pods/web/exec", "command=ls&stdout=true", nil},
		{"/api/v1/namespaces/Default/pods/web/exec", "command=ls&stdout=true", nil},
		{"/apis/v1/namespaces/default/pods/web/exec", "command=ls&stdout=true", nil},
	} {
		got, err := ParseStream(c.path, c.query)
		if c.want == nil {
			if err == nil {
				t.Errorf("%s?%s is taken", c.path, c.query)
			}
			continue
		}
		c.want.Namespace, c.want.Pod = "default", "web-0.x"
		if err != nil || !reflect.DeepEqual(got, *c.want) {
			t.Errorf("%s?%s: %+v %v", c.path, c.query, got, err)
		}
		again, err := ParseStream(got.Path(), got.Query())
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%+v became %+v %v", got, again, err)
		}
	}
}

func TestIsStream(t *testing.T) {
	for path, want := range map[string]bool{
		"/api/v1/namespaces/d/pods/p/exec":         true,
		"/api/v1/namespaces/d/pods/p/%65xec":       true,
		"/api/v1/namespaces/d/pods/p/%2565xec":     true,
		"/api/v1/namespaces/d/pods/p//attach/":     true,
		"/api/v1/namespaces/d/pods/p/log/../exec":  true,
		"/api/v1/namespaces/d/pods/p%2Fexec":       true,
		"/api/v1/namespaces/d/pods/p/./exec;x=1":   true,
		"/api/v1/namespaces/d/pods/p/EXEC":         true,
		"/api/v1/namespaces/d/pods/p/portforward":  true,
		"/api/v1/namespaces/d/pods/p/exec/x":       true,
		`/api/v1/namespaces/d/pods\p\exec`:         true,
		"/api/v1/namespaces/d/pods/exec":           false,
		"/api/v1/namespaces/d/pods/p/log":          false,
		"/api/v1/namespaces/exec/pods/attach":      false,
		"/api/v1/namespaces/d/configmaps/pods/log": false,
	} {
		if got := IsStream(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// FuzzParseStream: what is taken is what Envoy's route takes, is seen by those who refuse, and comes back as it was.
func FuzzParseStream(f *testing.F) {
	f.Add("/api/v1/namespaces/default/pods/web/exec", "command=ls&stdout=true")
	f.Add("/api/v1/namespaces/default/pods/web/portforward", "ports=1")
	route := regexp.MustCompile(StreamPath)
	f.Fuzz(func(t *testing.T, path, query string) {
		s, err := ParseStream(path, query)
		if err != nil {
			return
		}
		if !route.MatchString(path) || !IsStream(path) || s.Path() != path {
			t.Errorf("%q is taken", path)
		}
		again, err := ParseStream(s.Path(), s.Query())
		if err != nil || again.Query() != s.Query() {
			t.Errorf("%+v became %+v %v", s, again, err)
		}
	})
}
