// Package index is what sessions and their actions are found by: its types, the questions
// that can be asked, and the Index that answers them. It proves nothing and can be made again
// from the records. Implementations are in sqlindex; indextest says in full what they promise.
package index

import (
	"context"
	"errors"
	"time"

	"dragoman.dev/dragoman/internal/record"
)

// ErrNotFound says that there is no such session.
var ErrNotFound = errors.New("no such session")

// Kinds of facts: what a session can be found by.
const (
	Actor    = "actor"    // any identity of the chain
	Target   = "target"   // its name
	Verb     = "verb"     // of an action, lower case
	Table    = "table"    // read or written, lower case: "name" and "schema.name"
	Column   = "column"   // read or written, lower case: "column", "table.column" and "schema.table.column"
	Verdict  = "verdict"  // of an action: "allow", "block", "hold"
	Approver = "approver" // any identity of the chain of somebody who decided on a hold
)

// MaxSlots bounds the distinct statements of one session that free text finds.
const MaxSlots = 1 << 16

// Fact is something that a session can be found by.
type Fact struct{ Session, Kind, Value string }

// Text is a statement for free text. Slots count a session's distinct statements from 0, and are below MaxSlots.
type Text struct {
	Session string
	Slot    int
	Text    string
}

// Held is the state of an action's hold.
type Held struct {
	ID, State string
	By        []string // who decided
	// For an action that the record has not described, if that ever happens.
	Created            time.Time
	Kind, Rule, Reason string
}

// Change is what a batch says of one action: each part may be there or not.
type Change struct {
	Session string
	Ordinal uint64
	Base    *Action // without what the other two say
	Held    *Held
	Result  *record.Result
}

// Batch are changes that are made together. Each may have been made before.
type Batch struct {
	Sessions []Session
	Actions  []Change // one for each action
	Facts    []Fact   // of sessions in this batch or an earlier one, as are texts
	Texts    []Text
}

// Empty reports whether there is nothing in it.
func (b *Batch) Empty() bool {
	return len(b.Sessions)+len(b.Actions)+len(b.Facts)+len(b.Texts) == 0
}

// Leaf is where the transparency log has what.
type Leaf struct {
	N              uint64
	Session, State string
	Frames         uint64
	Hash, FileHash string // hexadecimal
}

// Index keeps what sessions are found by. It is safe for concurrent use, and what it returns is the caller's.
type Index interface {
	// Write makes a batch durable, all of it or nothing. A session's Started must not change once it has frames.
	Write(ctx context.Context, b *Batch) error
	// Delete takes all that is known of a session out, but for its leaves; nothing of one that is not there. Its
	// values are in no answer and no search any more.
	Delete(ctx context.Context, id string) error
	// Get returns one session, or ErrNotFound.
	Get(ctx context.Context, id string) (Session, error)
	// List returns sessions, newest first. A *QueryError says that q cannot be asked.
	List(ctx context.Context, q Query) (Page, error)
	// Actions returns a session's actions after an ordinal, in order; limit as in Query.
	Actions(ctx context.Context, id string, after uint64, limit int) ([]Action, error)

	// AddLeaves adds places in the log, all or nothing. One that is there is replaced.
	AddLeaves(ctx context.Context, leaves []Leaf) error
	// HasLeaf reports whether the log has this, anywhere.
	HasLeaf(ctx context.Context, l Leaf) (bool, error)
	// LastLeaf returns the last place of a session, or ErrNotFound.
	LastLeaf(ctx context.Context, session string) (uint64, error)
	// NextLeaf is how many of the log's places, from the first, are there without a gap.
	NextLeaf(ctx context.Context) (uint64, error)

	// Stale: Rebuild was begun and not finished, or another version left nothing that this one can use.
	Stale(ctx context.Context) (bool, error)
	// Rebuild empties the index, leaves too, and keeps which node each session is of: the one
	// thing that records do not prove. It returns that. The index is stale until Rebuilt.
	Rebuild(ctx context.Context) (nodes map[string]string, err error)
	Rebuilt(ctx context.Context) error

	// Watch calls f after writes by anybody, from any goroutine, until cancel is called: with each session
	// that was written, or "" for any. f must not block.
	Watch(f func(session string)) (cancel func())
	Close() error
}
