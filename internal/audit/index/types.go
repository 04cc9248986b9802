package index

import "time"

// Session is a session as the index has it.
type Session struct {
	ID         string    `json:"id"`
	File       string    `json:"file"` // the key of its body
	Node       string    `json:"node"`
	Target     string    `json:"target"`
	Protocol   string    `json:"protocol"`
	Subject    string    `json:"subject"`
	OnBehalfOf string    `json:"on_behalf_of,omitempty"`
	Actors     []string  `json:"actors"`
	Groups     []string  `json:"groups"`
	Issuer     string    `json:"issuer"`
	Method     string    `json:"method"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended,omitzero"`
	Live       bool      `json:"live"`
	// Reason and Message are how it ended; Lost that its own writer could not say.
	Reason      string `json:"reason,omitempty"`
	Message     string `json:"message,omitempty"`
	Lost        bool   `json:"lost,omitempty"`
	Client      string `json:"client"`
	Application string `json:"application,omitempty"`
	Database    string `json:"database,omitempty"`
	User        string `json:"user,omitempty"`
	Actions     int64  `json:"actions"`
	Allowed     int64  `json:"allowed"`
	Blocked     int64  `json:"blocked"`
	Held        int64  `json:"held"`
	Rows        int64  `json:"rows"`
	Bytes       int64  `json:"bytes"`
	Masked      int64  `json:"masked"`
	Frames      uint64 `json:"frames"`
	Stream      uint64 `json:"stream"` // bytes of the record
	// Undecoded counts frames whose payload could not be read for the index; they are in the record.
	Undecoded int64 `json:"undecoded,omitempty"`
	// Sealed: the file is final, and Hash is the chain hash of its last frame.
	Sealed bool   `json:"sealed"`
	Hash   string `json:"hash,omitempty"`
}

// Action is one action as the index has it.
type Action struct {
	Session     string        `json:"session"`
	Ordinal     uint64        `json:"ordinal"`
	Time        time.Time     `json:"time"`
	Kind        string        `json:"kind"`
	Verdict     string        `json:"verdict"`
	Rule        string        `json:"rule"`
	Reason      string        `json:"reason,omitempty"`
	Verbs       []string      `json:"verbs"`
	Tables      []string      `json:"tables"`
	Fingerprint string        `json:"fingerprint"`
	Text        string        `json:"text"` // at most 4 KiB of it
	Hold        string        `json:"hold,omitempty"`
	HoldState   string        `json:"hold_state,omitempty"`
	DecidedBy   []string      `json:"decided_by,omitempty"`
	Status      string        `json:"status,omitempty"` // "" while it runs
	Code        string        `json:"code,omitempty"`
	Message     string        `json:"message,omitempty"`
	Tag         string        `json:"tag,omitempty"`
	Rows        int64         `json:"rows"`
	Bytes       int64         `json:"bytes"`
	Masked      int64         `json:"masked"`
	Duration    time.Duration `json:"duration"`
}

// Page is some sessions, newest first.
type Page struct {
	Sessions []Session `json:"sessions"`
	Next     string    `json:"next,omitempty"` // "" at the end
}
