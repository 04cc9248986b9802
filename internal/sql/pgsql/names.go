package pgsql

import (
	"encoding/json"
	"fmt"
)

// Names is how a session resolves names now.
type Names struct {
	User        string   `json:"user"`
	SessionUser string   `json:"session_user"`
	Path        []string `json:"path"` // current_schemas(true)
	Temp        string   `json:"temp"` // the session's temporary schema, "" before its first use
	Strings     bool     `json:"strings"`
	// The server converts a text from ClientEncoding before it lexes it; bytes over
	// 127 mean what we read only when this is UTF8 (or the server's own UTF8).
	ClientEncoding string `json:"client_encoding"`
	ServerEncoding string `json:"server_encoding"`
}

// DecodeNames reads what NamesQuery returns.
func DecodeNames(doc []byte) (Names, error) {
	var n Names
	if err := json.Unmarshal(doc, &n); err != nil {
		return Names{}, fmt.Errorf("pgsql: decoding names: %w", err)
	}
	if n.Temp == "-" { // regnamespace of no schema; cheaper than to look into pg_namespace, which each new session would pay for
		n.Temp = ""
	}
	return n, nil
}

// Env is what a text is analysed against.
type Env struct {
	Catalog *Catalog
	// Path are the effective schemas in lookup order, as current_schemas(true) gives them.
	Path []string
	User string
	// Strings says that standard_conforming_strings is on.
	Strings bool
}
