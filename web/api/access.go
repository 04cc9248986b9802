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

// Role allows some routes.
type Role string

const (
	Read    Role = "read"
	Approve Role = "approve"
	Admin   Role = "admin" // implies the others
)

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
}

// may reports whether the caller has the role.
func (c Caller) may(r Role) bool {
	return slices.Contains(c.Roles, r) || slices.Contains(c.Roles, Admin)
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

// Grant gives roles to members of any of the groups.
type Grant struct {
	Groups []string
	Roles  []Role
}

// Bearer is the access of the TCP port: fixed tokens, and identity tokens whose
// groups were granted roles.
type Bearer struct {
	Fixed         []Fixed
	Grants        []Grant
	Authenticator Authenticator
}

// Caller implements Access.
func (b Bearer) Caller(r *http.Request) (Caller, error) {
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || raw == "" || len(raw) > identity.MaxToken {
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
		if proof.Identity.InGroup(g.Groups...) {
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
	return Caller{Identity: id, Roles: []Role{Admin}, Via: ViaSocket}, nil
}

// decider is who decides on a hold: the caller, or on the admin socket whom the
// caller states. The record then says that it was stated (method "local").
func decider(c Caller, as string, groups []string) (identity.Identity, error) {
	if as == "" && len(groups) == 0 {
		if c.Via == ViaSocket {
			return identity.Identity{}, fmt.Errorf("%w: say who decides, for example as: user:dana@example.com and groups: [dba]", ErrInvalid)
		}
		return c.Identity, nil
	}
	if c.Via != ViaSocket {
		return identity.Identity{}, fmt.Errorf("%w: only the admin socket may state who decides; here it is the token's identity", ErrForbidden)
	}
	id := identity.New(as)
	id.Groups = append(id.Groups, groups...)
	id.Method, id.Issuer = identity.MethodLocal, c.Identity.Subject
	if err := id.Validate(); err != nil {
		return identity.Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return id, nil
}
