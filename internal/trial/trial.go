// Package trial judges what somebody might do, for people who ask "what if": one statement, or a matrix of who may do what
// where. It decodes with the same leaf decoders and judges with the same engine as the gateway; nothing is sent to
// a target, so what a target's catalog would say is assumed, and what was assumed is told.
package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/shell"
	"dragoman.dev/dragoman/internal/sql"
)

// maxText bounds what is tried, in bytes; maxSteps the statements in it.
const (
	maxText  = 64 << 10
	maxSteps = 32
)

// ErrText says that the text cannot be read as something for the target.
var ErrText = errors.New("this cannot be tried")

// Request is what is tried.
type Request struct {
	Engine   *policy.Engine
	Identity identity.Identity
	Target   policy.Target
	// Database is the one that is asked for: of MySQL the database that names without one are in.
	Database string
	// Text is a statement, a command line, "GET /path", or an action in JSON as docs/policy.md has it.
	Text string
	// HTTP reads "GET /path" and a body for targets that speak HTTP; nil where there are none.
	HTTP func(method, target, body string) (action.Action, error)
	Now  time.Time
}

// Step is the verdict on one action of the text.
type Step struct {
	Action  action.Action `json:"action"`
	Assumed []string      `json:"assumed"` // tables that were taken to exist
	policy.Explanation
}

// Run judges. It never runs anything.
func Run(ctx context.Context, r Request) ([]Step, error) {
	if len(r.Text) > maxText {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrText, maxText)
	}
	list, assumed, err := r.decode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrText, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: there is nothing in it", ErrText)
	}
	if len(list) > maxSteps {
		return nil, fmt.Errorf("%w: more than %d statements", ErrText, maxSteps)
	}
	var out []Step
	for _, st := range list {
		in := policy.Input{Version: policy.InputVersion, Identity: r.Identity, Target: r.Target, Action: st.Action,
			Session: policy.Session{Started: r.Now, Client: "127.0.0.1:0", Application: "policy trial", Database: r.Database}}
		lineage := st
		if st.Action.Kind != action.KindSQL {
			lineage = nil
		}
		out = append(out, Step{st.Action, assumed, r.Engine.Explain(ctx, &in, lineage)})
	}
	return out, nil
}

func (r *Request) decode() (list []*sql.Statement, assumed []string, err error) {
	text := strings.TrimSpace(r.Text)
	if text == "" || text == "connect" {
		return single(action.Connect(r.Target.Name, "", r.Database)), nil, nil
	}
	if strings.HasPrefix(text, "{") {
		a, err := decodeAction(text)
		return single(a), nil, err
	}
	switch r.Target.Protocol {
	case "postgres":
		return postgres(r.Text, r.maskColumns())
	case "mysql":
		return mysqlText(r.Text, r.Database, r.maskColumns())
	case "kubernetes":
		a, err := kubeCall(text)
		return single(a), nil, err
	case "ssh":
		return single(shell.Analyse(action.KindExec, text)), nil, nil
	case "http":
		if r.HTTP != nil {
			head, body, _ := strings.Cut(text, "\n")
			method, target, ok := strings.Cut(head, " ")
			if !ok {
				return nil, nil, errors.New("write it as GET /path, and a body on the lines below")
			}
			a, err := r.HTTP(strings.ToUpper(method), strings.TrimSpace(target), strings.TrimSpace(body))
			return single(a), nil, err
		}
	}
	return nil, nil, fmt.Errorf("for a target that speaks %s, write \"connect\", or an action in JSON", r.Target.Protocol)
}

func single(a action.Action) []*sql.Statement { return []*sql.Statement{{Action: a}} }

func decodeAction(text string) (action.Action, error) {
	var a action.Action
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if a.Kind == "" {
		a.Kind = action.KindSQL
	}
	return a, nil
}

func kubeCall(text string) (action.Action, error) {
	head, body, _ := strings.Cut(text, "\n")
	method, target, ok := strings.Cut(head, " ")
	if !ok || !strings.HasPrefix(strings.TrimSpace(target), "/") {
		return action.Action{}, errors.New("write it as GET /api/v1/namespaces/default/pods, and a body in JSON on the lines below")
	}
	method, target = strings.ToUpper(method), strings.TrimSpace(target)
	path, query, _ := strings.Cut(target, "?")
	c, err := kube.ParseCall(method, path, query)
	if err != nil {
		return action.Action{}, err
	}
	kind := ""
	if body = strings.TrimSpace(body); body != "" {
		kind = "application/json"
	}
	return c.Action(method, target, kind, []byte(body)), nil
}

// maskColumns are the columns that masks name: they are in the tables that are assumed.
func (r *Request) maskColumns() map[string][]string {
	in := policy.Input{Version: policy.InputVersion, Identity: r.Identity, Target: r.Target, Action: action.Connect(r.Target.Name, "", "")}
	out := map[string][]string{}
	for _, m := range r.Engine.Judge(context.Background(), &in, nil).Mask {
		for _, c := range m.Columns {
			if i := strings.LastIndexByte(c, '.'); i > 0 && !strings.ContainsAny(c, "*?") {
				out[c[:i]] = append(out[c[:i]], c[i+1:])
			}
		}
	}
	return out
}
