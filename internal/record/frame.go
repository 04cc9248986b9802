// Package record keeps what happened in a session: frames in order,
// hash-chained, written before anything moves. It owns the byte format
// (docs/record-format.md), the spool on Envoy's side, the sealed file on the
// control plane's side, reading, verifying and shipping between the two.
package record

import (
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
)

// Kind of a frame. Values are part of the format and never reused.
type Kind uint8

const (
	KindOpen     Kind = 1 // JSON Open: always the first frame
	KindAction   Kind = 2 // JSON ActionPayload: one decoded action with its decision, before it is forwarded
	KindRequest  Kind = 3 // bytes as sent to the target (protocol wire form)
	KindResponse Kind = 4 // bytes as delivered to the agent, after masking (protocol wire form)
	KindHold     Kind = 5 // JSON hold.Hold when a hold begins and when it ends
	KindResult   Kind = 6 // JSON Result: how an action ended
	KindNote     Kind = 7 // JSON Note: something that the gateway did itself (policy push, catalog read, cancel)
	KindClose    Kind = 8 // JSON Close: always the last frame of a session that ended in order
)

// Frame is one entry of a session's record.
type Frame struct {
	Seq    uint64    // 0, 1, 2 … without gaps
	Time   time.Time // the gateway's clock, nanoseconds; never earlier than the frame before
	Kind   Kind
	Action uint64 // ordinal of the action that it belongs to, from 1; 0: none
	// Recovered says that the frame was made after the session's writer died, by whoever closed its record.
	Recovered bool
	// Payload is the kind's body. Frames that a Reader returns own it until the next call.
	Payload []byte
}

// Open is the first frame's payload.
type Open struct {
	Format   int               `json:"format"`
	Session  policy.Session    `json:"session"`
	Target   policy.Target     `json:"target"`
	Identity identity.Identity `json:"identity"`
	Node     string            `json:"node"`
	Decision policy.Decision   `json:"decision"`
}

// ActionPayload is a decoded action and what was decided about it.
type ActionPayload struct {
	Action   action.Action   `json:"action"`
	Decision policy.Decision `json:"decision"`
}

// Result tells how an action ended, as the agent saw it.
type Result struct {
	Status   string        `json:"status"`         // "ok", "error", "blocked", "denied", "withdrawn", "expired", "lost"
	Code     string        `json:"code,omitempty"` // SQLSTATE, HTTP status, exit code
	Message  string        `json:"message,omitempty"`
	Tag      string        `json:"tag,omitempty"` // command tag
	Rows     int64         `json:"rows"`
	Bytes    int64         `json:"bytes"`  // delivered
	Masked   int64         `json:"masked"` // values masked
	Duration time.Duration `json:"duration"`
	// MaskedColumns are the columns of the result whose values were masked whatever they were: "2,5", counted from 1. Values
	// that a detector found are in other columns, too.
	MaskedColumns string `json:"masked_columns,omitempty"`
}

// Note is something that the gateway did itself.
type Note struct {
	What   string         `json:"what"`
	Detail map[string]any `json:"detail,omitempty"`
}

// Close is the last frame's payload.
type Close struct {
	// Reason: "client", "target", "policy", "revoked", "expired", "admin", "protocol", "shutdown", "fault", "lost".
	Reason   string        `json:"reason"`
	Message  string        `json:"message,omitempty"`
	Actions  uint64        `json:"actions"`
	Bytes    int64         `json:"bytes"`
	Duration time.Duration `json:"duration"`
}
