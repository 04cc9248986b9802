package page

import (
	"context"
	"time"

	"dragoman.dev/dragoman/internal/backtest"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/policy/pushes"
	"dragoman.dev/dragoman/internal/trial"
)

// Console is what the page shows beside what the API has. Nil leaves those pages out.
type Console interface {
	// Policy is what is in force.
	Policy(ctx context.Context) (PolicyState, error)
	// Matrix says who may do what where, of one table or the like.
	Matrix(ctx context.Context, schema, name string) (trial.Matrix, error)
	// Try judges, with the policy in force or, if there is a change, with that.
	Try(ctx context.Context, id identity.Identity, target, text string, change Change) ([]trial.Step, error)
	// Backtest judges what was recorded since then with a change. It ends with ctx, with what there is by then.
	Backtest(ctx context.Context, change Change, since time.Time, progress func(backtest.Progress)) (*backtest.Report, error)
	// Targets are those of the configuration.
	Targets(ctx context.Context) []TargetState
	Nodes() []NodeState
	// Live are the sessions that are open.
	Live() []LiveSession
}

// Change is a file of the policy folder with another text; none when File is "".
type Change struct{ File, Text string }

// PolicyState is the policy in force.
type PolicyState struct {
	Revision string
	Since    time.Time
	Error    string // why the source as it is now is not in force
	ErrorAt  time.Time
	// Files are the policy folder's, by path; Fresh says that they are what is in force.
	Files map[string]string
	Fresh bool
	// Rules and Masks are how many there are in YAML, of the folder and of the configuration.
	Rules, Masks int
	Pushes       []pushes.Push
}

// TargetState is a target, and how it is.
type TargetState struct {
	policy.Target
	Listen    string
	Addresses []string
	Nodes     []string
	Live      int // sessions
	// Health is "healthy", "unhealthy", or "" where the local Envoy does not know it.
	Health string
	Detail string
}

// NodeState is an Envoy.
type NodeState struct {
	Name      string
	Connected bool
	Since     time.Time
	Version   string // wanted
	Policy    string // revision, wanted
	InSync    bool
	// Lag is how long it took to acknowledge the version, or for how long it has not.
	Lag     time.Duration
	Refused []string
}

// LiveSession is one open session.
type LiveSession struct {
	ID, Target, Node string
	Identity         identity.Identity
	Started          time.Time
}
