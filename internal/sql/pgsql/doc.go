// Package pgsql analyses PostgreSQL statements: text and catalog in,
// []*sql.Statement out. It owns the parser, the resolution of names against a
// snapshot of the target's catalog, the lineage of each result column, the
// columns that a statement probes, its flows, and the cache of all that. It
// judges nothing and talks to no server: it gives the queries whose results it
// decodes, and whoever holds a connection runs them.
//
// Policy and masking trust it, so it keeps to one rule: what is not positively
// understood makes the result more restrictive, never less. A name that is not
// in the catalog sets action.FeatureUnresolved; a function whose body cannot be
// seen is Opaque and makes what is computed from it Unknown; a statement of an
// unknown type sets FeatureUnknownStatement; a text that is too large or too
// deep for the parser is a *ParseError. Node types without a case of their own
// are walked generically, and everything found below counts.
package pgsql

// Features beside those of package action that this dialect sets.
const (
	FeatureUnknownStatement = "unknown_statement" // a statement type that the analysis does not know
	FeatureStatistics       = "statistics"        // pg_stats and kin: holds samples of every column
	FeatureSessionTexts     = "session_texts"     // pg_stat_activity and kin: statements of other sessions
	FeatureLargeObject      = "large_object"      // large objects
	FeatureCredentials      = "credentials"       // pg_authid, pg_user_mapping and kin: password hashes, connection strings
	FeatureExplain          = "explain"           // EXPLAIN; value "plan", or "analyze" when it also runs
	FeatureAdmin            = "admin"             // acts on the server or on other sessions: pg_terminate_backend, ALTER SYSTEM, CHECKPOINT …
)

// Bounds of the text that is given to the parser. libpg_query walks the tree
// with C recursion and does not check its stack: chains of 100,000 operators
// crash it with 8 MiB of stack, 20,000 do not, and protobuf-go itself refuses
// trees of more than 10,000 nested messages (two for each operator).
const (
	maxText   = 1 << 20   // bytes of a text
	maxTokens = 400_000   // tokens of a text; about a second to parse
	maxDepth  = 2500      // estimated depth of its tree
	freeText  = 8 << 10   // bytes: a text this short cannot be too deep, a level takes two bytes
	maxWork   = 1_000_000 // steps of one statement's analysis
)

// ParseError says why a text cannot be analysed. Nothing else is known of it.
type ParseError struct {
	Message  string
	Position int // byte offset, or -1
}

func (e *ParseError) Error() string { return "pgsql: " + e.Message }
