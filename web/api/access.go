package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"dragoman.dev/dragoman/internal/identity"
)

// Role allows some routes; openapi.json says at each which ones do (x-roles).
type Role string

const (
	Reader   Role = "reader"   // sees sessions and holds
	Auditor  Role = "auditor"  // sees those, who read them, and issued tokens
	Approver Role = "approver" // sees holds and decides on them
	Admin    Role = "admin"    // may do everything
)

// ParseRole reads a role's name, those of earlier versions too.
func ParseRole(name string) (Role, error) {
	switch r := Role(name); r {
	case Reader, Auditor, Approver, Admin:
		return r, nil
	case "read":
		return Reader, nil
	case "approve":
		return Approver, nil
	}
	return "", fmt.Errorf("%q is not a role", name)
}

// How a call came, as decisions record it.
const (
	ViaSocket = "admin-socket"
	ViaAPI    = "api"
)

// Caller is who calls.
type Caller struct {
	Identity identity.Identity
	Roles    []Role
	Via      string
	// Stated says that Identity is whom the user of the admin socket says that it is.
	Stated bool
}

// may reports whether the caller has any of the roles.
func (c Caller) may(roles ...Role) bool {
	return slices.ContainsFunc(c.Roles, func(r Role) bool { return r == Admin || slices.Contains(roles, r) })
}

// Access tells who calls; an error refuses.
type Access interface {
	Caller(*http.Request) (Caller, error)
}

var errUnauthenticated = errors.New("authentication failed")

// Fixed is a configured bearer token and whom it stands for.
type Fixed struct {
	SHA256   [sha256.Size]byte // of the token
	Identity identity.Identity
	Roles    []Role
}

// Grant gives roles to members of any of the groups, and to the subjects.
type Grant struct {
	Groups   []string
	Subjects []string // who acts, exactly
	Roles    []Role
}

// Bearer is the access of the TCP port: fixed tokens, and identity tokens whose
// groups were granted roles.
type Bearer struct {
	Fixed         []Fixed
	Grants        []Grant
	Authenticator Authenticator
}

// TokenOf is the token of a request; false when there is none that could be one.
func TokenOf(r *http.Request) (string, bool) {
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return raw, ok && raw != "" && len(raw) <= identity.MaxToken
}

// Caller implements Access.
func (b Bearer) Caller(r *http.Request) (Caller, error) {
	raw, ok := TokenOf(r)
	if !ok {
		return Caller{}, errUnauthenticated
	}
	sum := sha256.Sum256([]byte(raw))
	for _, f := range b.Fixed {
		if subtle.ConstantTimeCompare(sum[:], f.SHA256[:]) == 1 {
			return Caller{Identity: f.Identity, Roles: f.Roles, Via: ViaAPI}, nil
		}
	}
	if len(b.Grants) == 0 {
		return Caller{}, errUnauthenticated
	}
	proof, err := b.Authenticator.Authenticate(r.Context(), identity.Credential{Token: raw})
	if err != nil {
		return Caller{}, errUnauthenticated
	}
	c := Caller{Identity: proof.Identity, Via: ViaAPI}
	for _, g := range b.Grants {
		if proof.Identity.InGroup(g.Groups...) || slices.Contains(g.Subjects, proof.Identity.Subject) {
			c.Roles = append(c.Roles, g.Roles...)
		}
	}
	return c, nil
}

// Socket is the access of the unix socket: its file mode has said who may
// connect, so the caller is an administrator. Serve it with ConnContext, which
// tells the caller's user.
type Socket struct{}

type uidKey struct{}

// ConnContext is for http.Server: it keeps the user id of a unix socket's peer.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ctx
	}
	_ = raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			ctx = context.WithValue(ctx, uidKey{}, cred.Uid)
		}
	})
	return ctx
}

// Caller implements Access.
func (Socket) Caller(r *http.Request) (Caller, error) {
	uid, ok := r.Context().Value(uidKey{}).(uint32)
	if !ok {
		return Caller{}, errUnauthenticated
	}
	name := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	id := identity.New("local:" + identity.Escape(name))
	id.Method, id.Issuer = identity.MethodLocal, "local"
	c := Caller{Identity: id, Roles: []Role{Admin}, Via: ViaSocket}
	if as := r.Header.Get(AsHeader); as != "" {
		var err error
		if c.Identity, err = stated(c, as, nil); err != nil {
			return Caller{}, err
		}
		c.Stated = true
	}
	return c, nil
}

// AsHeader states who acts, on the admin socket only. It gives no role and takes none; records
// say that it was stated, and by which local user.
const AsHeader = "Dragoman-As"

func stated(c Caller, as string, groups []string) (identity.Identity, error) {
	id := identity.New(as)
	id.Groups = append(id.Groups, groups...)
	id.Method, id.Issuer = identity.MethodLocal, c.Identity.Subject
	if c.Stated {
		id.Issuer = c.Identity.Issuer
	}
	if err := id.Validate(); err != nil {
		return identity.Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return id, nil
}

// decider is who decides on a hold: the caller, or on the admin socket whom the
// caller states. The record then says that it was stated (method "local").
func decider(c Caller, as string, groups []string) (identity.Identity, error) {
	if as == "" && len(groups) == 0 {
		if c.Via == ViaSocket && !c.Stated {
			return identity.Identity{}, fmt.Errorf("%w: say who decides, for example as: user:dana@example.com and groups: [dba]", ErrInvalid)
		}
		return c.Identity, nil
	}
	if c.Via != ViaSocket {
		return identity.Identity{}, fmt.Errorf("%w: only the admin socket may state who decides; here it is the token's identity", ErrForbidden)
	}
	return stated(c, as, groups)
}
