package replica

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

// What replicas say to the keeper: a request in gob by POST over mutual TLS, and an answer. Both ends are
// processes of one deployment; a replica of another version that adds a field is understood.
type (
	request struct {
		Op       string
		Node     string // proven to the replica that asks
		Chunks   []ship.Chunk
		Sessions []string
		Reason   audit.DeletionReason
	}
	answer struct {
		Acks []ship.Ack
		Kind string // of an error: "" none
		Text string
	}
)

const (
	path     = "/v1/records"
	opAppend = "append"
	opLost   = "lost"
	opDelete = "delete"

	kindError    = "error"
	kindNotFound = "not found"
	kindLive     = "live"
	kindNoKeeper = "no keeper"

	// maxRequest bounds a request and an answer in bytes: several times what a batch of package ship has.
	maxRequest = 64 << 20
	// maxSessions bounds those of one request.
	maxSessions = 10_000
	// callTimeout bounds a call; entering something into the log may take long.
	callTimeout = 90 * time.Second
)

// kinds are the errors that keep their meaning on the way.
var kinds = map[string]error{kindNotFound: audit.ErrNotFound, kindLive: audit.ErrLive, kindNoKeeper: ErrNoKeeper}

func (a *answer) fail(err error) {
	a.Kind, a.Text = kindError, err.Error()
	for kind, is := range kinds {
		if errors.Is(err, is) {
			a.Kind = kind
		}
	}
}

// err is the error that the keeper had.
func (a answer) err() error {
	if a.Kind == "" {
		return nil
	}
	return &keeperError{text: a.Text, is: kinds[a.Kind]}
}

type keeperError struct {
	text string
	is   error
}

func (e *keeperError) Error() string { return e.text }
func (e *keeperError) Unwrap() error { return e.is }

// serve takes requests of other replicas.
func (k *Keeper) serve(ctx context.Context, id tls.Certificate) error {
	l, err := net.Listen("tcp", k.opt.Listen)
	if err != nil {
		return err
	}
	address := k.opt.Address
	if err := k.peers.register(ctx, k.opt.Name, address, id.Certificate[0]); err != nil {
		return errors.Join(err, l.Close())
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{id}, ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(c tls.ConnectionState) error { return k.peers.known(c.PeerCertificates[0].Raw) }}
	s := &http.Server{Handler: http.HandlerFunc(k.handle), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(k.opt.Log.Handler(), slog.LevelDebug)}
	k.closers = append(k.closers, s.Close)
	go func() {
		if err := s.Serve(tls.NewListener(l, conf)); !errors.Is(err, http.ErrServerClosed) {
			k.opt.Log.Error("other replicas are not served any more", "error", err)
		}
	}()
	return nil
}

func (k *Keeper) handle(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != path {
		http.NotFound(w, r)
		return
	}
	var q request
	if err := gob.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&q); err != nil {
		http.Error(w, "not a request", http.StatusBadRequest)
		return
	}
	var a answer
	if err := k.do(r.Context(), q, &a); err != nil {
		a.fail(err)
	}
	if err := gob.NewEncoder(w).Encode(a); err != nil {
		k.opt.Log.Debug("a replica did not take an answer", "error", err)
	}
}

// do never hands on: a replica that thinks that this one keeps the records learns that it does not.
func (k *Keeper) do(ctx context.Context, q request, a *answer) (err error) {
	s := k.Store()
	if s == nil {
		return ErrNoKeeper
	}
	if len(q.Sessions) > maxSessions {
		return errors.New("too many sessions")
	}
	for _, c := range q.Chunks {
		if !record.ValidSession(c.Session) {
			return errors.New("a session id is not valid")
		}
	}
	switch q.Op {
	case opAppend:
		a.Acks, err = s.Append(ctx, q.Node, q.Chunks)
		return err
	case opLost:
		for _, id := range q.Sessions {
			if err := s.Lost(ctx, id); err != nil {
				return err
			}
		}
		return nil
	case opDelete:
		return s.Delete(ctx, q.Reason, q.Sessions...)
	}
	return fmt.Errorf("no operation %q", q.Op)
}

// newKeyPair is what one process proves itself with: made at its start, kept in memory.
func newKeyPair(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	// Nobody looks at its times: who has the key is what counts, and which is in the database.
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// drain lets a connection be used again.
func drain(r io.ReadCloser) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r, 4096))
	r.Close()
}
