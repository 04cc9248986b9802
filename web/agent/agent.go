// Package agent is the MCP server that agents ask about themselves, at /mcp of the admin address: what they may do,
// why something was refused, whether a hold is approved, and to whom they say what something is for. Whoever asks is
// proven by the same credential that opens sessions, and sees what is their own only. Nothing here decides: there is
// no tool that approves, and no role is looked at.
package agent

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/lockout"
	"dragoman.dev/dragoman/web/api"
)

// Path is where the server is.
const Path = "/mcp"

// Via is how its reads of records are recorded.
const Via = "mcp"

// maxBody bounds a request, in bytes.
const maxBody = 64 << 10

// May is what policy says of an identity at a target.
type May struct {
	Target   string `json:"target"`
	Protocol string `json:"protocol"`
	Connect  string `json:"connect" jsonschema:"allow, hold or block"`
	Rule     string `json:"rule,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

// Rule is a rule that can be about an identity.
type Rule struct {
	Rule      string   `json:"rule"`
	Verdict   string   `json:"verdict" jsonschema:"allow, hold or block"`
	Reason    string   `json:"reason,omitempty"`
	Hint      string   `json:"hint,omitempty"`
	Targets   []string `json:"targets,omitempty"`
	Verbs     []string `json:"verbs,omitempty"`
	Tables    []string `json:"tables,omitempty"`
	Approvers []string `json:"approvers,omitempty"`
}

// Sessions is what is read of records.
type Sessions interface {
	List(ctx context.Context, f audit.Filter) (audit.Page, error)
	Actions(ctx context.Context, id string, after uint64, limit int) ([]audit.Action, error)
}

// Holds is what is asked and said of holds. It has no way to decide.
type Holds interface {
	Show(ctx context.Context, id string) (hold.Hold, error)
	// Purpose keeps an identity's reason for what will be held, Tell adds it to a hold of its own.
	Purpose(id identity.Identity, target, text string) error
	Tell(ctx context.Context, holdID string, by identity.Identity, text string) (hold.Hold, error)
}

// Policy says what is in force for an identity.
type Policy interface {
	May(ctx context.Context, id identity.Identity) ([]May, []Rule, error)
}

// Options of a server; all must be set but Page and Lockout.
type Options struct {
	Authenticator api.Authenticator
	Sessions      Sessions
	Holds         Holds
	Policy        Policy
	Record        func(access.Read) error
	Lockout       *lockout.Lockout // slows down those who try tokens; nil: nobody
	Page          string           // where people see holds, "" when nowhere
	Version       string
	Log           *slog.Logger
}

type server struct {
	Options
	mcp *mcp.Server
}

type callerKey struct{}

type caller struct {
	id     identity.Identity
	client string
}

// New makes the handler of Path.
func New(o Options) http.Handler {
	s := &server{Options: o, mcp: mcp.NewServer(&mcp.Implementation{Name: "dragoman", Version: o.Version}, &mcp.ServerOptions{Instructions: instructions})}
	s.addTools()
	// Stateless: each request proves who asks anew, and nothing of an agent is kept between two.
	h := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s.mcp },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, DisableLocalhostProtection: true, MaxRequestBodyBytes: maxBody})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		id, ok := s.who(r)
		if !ok {
			if _, tried := api.TokenOf(r); tried && s.Lockout.Strike(r.Context(), r.RemoteAddr) {
				http.Error(w, "too many failed attempts from this address", http.StatusTooManyRequests)
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="dragoman"`)
			http.Error(w, "authentication failed: send the token that opens your sessions", http.StatusUnauthorized)
			return
		}
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), callerKey{}, caller{id, r.RemoteAddr}), time.Minute)
		defer cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

const instructions = "Dragoman stands between you and databases, APIs and hosts. Ask here what you may do, why something was refused or held, " +
	"and whether a hold is approved. People decide on holds; nothing here can. Send a refused action again only when something has changed."

// who proves the caller. A browser's request is none: it would send no such header, and a page of another site must not make it.
func (s *server) who(r *http.Request) (identity.Identity, bool) {
	raw, ok := api.TokenOf(r)
	if !ok {
		return identity.Identity{}, false
	}
	p, err := s.Authenticator.Authenticate(r.Context(), identity.Credential{Token: raw})
	if err != nil {
		s.Log.Warn("mcp: a caller is refused", "client", r.RemoteAddr, "reason", string(identity.ReasonOf(err)))
		return identity.Identity{}, false
	}
	return p.Identity, len(p.Identity.Actors) > 0
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller) // without one, the identity is nobody's and owns nothing
	return c
}
