// Package action holds one decoded operation in the form that policy judges,
// people approve and the record keeps. Protocol codecs fill it in; nothing in
// it is specific to one protocol.
package action

import "fmt"

// Kinds of action, by protocol.
const (
	KindSQL      = "sql"      // one SQL statement
	KindFunction = "sql.call" // Postgres FunctionCall
	KindConnect  = "connect"  // the opening of a session
	KindHTTP     = "http"     // one HTTP request
	KindMCPTool  = "mcp.tool" // one MCP tool call
	KindMCP      = "mcp"      // any other MCP message of a client
	KindKube     = "kube"     // one Kubernetes API call
	KindExec     = "exec"     // a command line
	KindShell    = "shell"    // a line of an interactive shell
	KindSFTP     = "sftp"     // one SFTP operation
	KindForward  = "forward"  // a forwarded connection
	KindChannel  = "rdp.chan" // an RDP channel
)

// Object is something that an action reads or writes: a table or view with
// the columns concerned, a Kubernetes resource, a path.
type Object struct {
	// Schema and Name are resolved names ("public", "customers"). Schema is
	// "" where the protocol has none, or where the name is not resolved.
	Schema string `json:"schema"`
	Name   string `json:"name"`
	// Columns are sorted; empty means the whole object (or none needed).
	Columns []string `json:"columns"`
	// Resolved says that the name was found in the target's catalog.
	Resolved bool `json:"resolved"`
}

// Function is a function that the action calls.
type Function struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	// Volatility is "immutable", "stable", "volatile" or "" when unknown.
	Volatility string `json:"volatility"`
	// Opaque says that its body can do anything that the decoder cannot see:
	// user-defined functions, dblink, lo_*, pg_read_file and the like.
	Opaque bool `json:"opaque"`
}

// Param is one bound parameter, decoded for humans and policy. A value that
// cannot be shown as text is given as base64 with Encoding "base64".
type Param struct {
	Value string `json:"value"`
	// Name says where the value stands, for protocols whose parameters have names:
	// "query/page", "header/x-tenant", "body/user/role", "arguments/path" (docs/policy.md).
	Name     string `json:"name,omitempty"`
	Null     bool   `json:"null,omitempty"`
	Encoding string `json:"encoding,omitempty"`
}

// Features that are common to SQL dialects. The value is true, or a number or
// string where it says more. An absent key means false.
const (
	FeatureWhere        = "where"         // UPDATE/DELETE/SELECT has a WHERE that can be false
	FeatureLimit        = "limit"         // has LIMIT/FETCH
	FeatureMulti        = "multi"         // one of several statements in a message
	FeatureLocking      = "locking"       // FOR UPDATE and kin, LOCK
	FeatureTransaction  = "transaction"   // BEGIN, COMMIT …
	FeatureDDL          = "ddl"           // changes the schema
	FeatureRename       = "rename"        // changes the name or place by which data is known: RENAME, SET SCHEMA, ATTACH, INHERIT
	FeatureDynamic      = "dynamic"       // DO, EXECUTE of a string: a body that is not seen
	FeatureOpaque       = "opaque"        // calls an opaque function
	FeatureUnparsed     = "unparsed"      // cannot be parsed: nothing else is known
	FeatureUnresolved   = "unresolved"    // names a table, column or function not in the catalog
	FeatureCopy         = "copy"          // COPY; value "in", "out"
	FeatureProgram      = "program"       // COPY … PROGRAM, or anything that runs a program
	FeatureServerFile   = "server_file"   // touches the server's file system
	FeatureRole         = "role"          // SET ROLE / SESSION AUTHORIZATION
	FeatureSetting      = "setting"       // SET/RESET; value: the setting's name
	FeatureReplication  = "replication"   // replication command
	FeatureFunctionCall = "function_call" // FunctionCall message
)

// Features of HTTP requests and of what is carried in them (docs/policy.md).
const (
	FeatureMethodOverride = "method_override" // a header or parameter that may change the method; value: what it asks for
	FeatureEncodedSlash   = "encoded_slash"   // the path has %2F, %5C or a backslash
	FeatureAmbiguous      = "ambiguous"       // recipients may read it in two ways; value: what
	FeatureUpgrade        = "upgrade"         // asks for another protocol; value: which ("websocket")
	FeatureTrailers       = "trailers"        // announces trailers
	FeatureOpaqueBody     = "opaque_body"     // has a body that is neither JSON nor a form
	FeatureBodyTooLarge   = "body_too_large"  // has a body that is too large to be judged
	FeatureBatch          = "batch"           // one of several JSON-RPC messages; value: how many
	FeatureListing        = "listing"         // not a call: asks whether a tool may be shown, before there are arguments
)

// Action is one decoded operation. The JSON form is policy's input.action.
type Action struct {
	Kind string `json:"kind"`
	// Verbs in lower case, sorted: select, insert, update, delete, merge, truncate, copy,
	// create, alter, drop, grant, call, do, set, begin, commit, … A statement
	// can have several (a CTE that deletes).
	Verbs     []string       `json:"verbs"`
	Reads     []Object       `json:"reads"`
	Writes    []Object       `json:"writes"`
	Functions []Function     `json:"functions"`
	Features  map[string]any `json:"features"`
	// Text is the statement, request line or command as the agent sent it.
	Text   string  `json:"text"`
	Params []Param `json:"params"`
	// Fingerprint names the shape: equal for actions that differ in literals only.
	Fingerprint string `json:"fingerprint"`
}

// Connect is the opening of a session, of which nothing else is known yet.
func Connect(target, user, database string) Action {
	return Action{Kind: KindConnect, Verbs: []string{"connect"}, Reads: []Object{}, Writes: []Object{}, Functions: []Function{},
		Features: map[string]any{}, Params: []Param{}, Fingerprint: "connect",
		Text: fmt.Sprintf("connect to %s (user %q, database %q)", target, user, database)}
}

// Undecodable is a request that could not be understood; text is what is told of it.
func Undecodable(kind, text string) Action {
	return Action{Kind: kind, Verbs: []string{}, Reads: []Object{}, Writes: []Object{}, Functions: []Function{},
		Features: map[string]any{FeatureUnparsed: true}, Text: text, Params: []Param{}, Fingerprint: "undecodable"}
}

// Has reports whether the feature is present and not false.
func (a *Action) Has(feature string) bool {
	v, ok := a.Features[feature]
	if !ok {
		return false
	}
	b, isBool := v.(bool)
	return !isBool || b
}
