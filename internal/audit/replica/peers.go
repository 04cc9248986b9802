package replica

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/pgdb"
)

const replicaTable = `
CREATE TABLE replica (
	name    TEXT PRIMARY KEY,
	address TEXT NOT NULL,
	cert    BYTEA NOT NULL -- of its running process, DER
);
`

// peers are the replicas, as the database knows them. Who may write there is one.
type peers struct {
	db       *pgdb.DB
	id       tls.Certificate
	unlisten func()

	mu     sync.Mutex
	keeper *keeper // as far as it is known
}

// keeper is the way to one.
type keeper struct {
	url    string
	client *http.Client
}

func newPeers(db *pgdb.DB, id tls.Certificate) *peers {
	p := &peers{db: db, id: id}
	p.unlisten = db.Listen(pgdb.TermChannel, func(string) { p.forget(nil) })
	return p
}

func (p *peers) close() {
	p.unlisten()
	p.forget(nil)
}

// register tells the others how to reach this process, and how it proves itself.
func (p *peers) register(ctx context.Context, name, address string, cert []byte) error {
	if err := p.db.Migrate(ctx, "replica", replicaTable); err != nil {
		return err
	}
	_, err := p.db.SQL.ExecContext(ctx, `INSERT INTO replica VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET address = excluded.address, cert = excluded.cert`, name, address, cert)
	return err
}

// known fails for a certificate that is no replica's.
func (p *peers) known(cert []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var n int
	if err := p.db.SQL.QueryRowContext(ctx, `SELECT count(*) FROM replica WHERE cert = $1`, cert).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return errors.New("this is no replica")
	}
	return nil
}

// find gives the way to the replica that keeps the records.
func (p *peers) find(ctx context.Context) (*keeper, error) {
	p.mu.Lock()
	k := p.keeper
	p.mu.Unlock()
	if k != nil {
		return k, nil
	}
	term, err := p.db.Leader(ctx, keeperLock)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoKeeper
	}
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	var address string
	var cert []byte
	if err := p.db.SQL.QueryRowContext(ctx, `SELECT address, cert FROM replica WHERE name = $1`, term.Holder).Scan(&address, &cert); err != nil {
		return nil, fmt.Errorf("replica: %s: %w", term.Holder, err)
	}
	if bytes.Equal(cert, p.id.Certificate[0]) {
		return nil, ErrNoKeeper // this one, which is about to begin or has just ended
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{p.id}, InsecureSkipVerify: true, // VerifyConnection does
		VerifyConnection: func(c tls.ConnectionState) error {
			if len(c.PeerCertificates) == 0 || !bytes.Equal(c.PeerCertificates[0].Raw, cert) {
				return fmt.Errorf("this is not the replica %s", term.Holder)
			}
			return nil
		}}
	k = &keeper{url: "https://" + address + path, client: &http.Client{Timeout: callTimeout,
		Transport: &http.Transport{TLSClientConfig: conf, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second}}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keeper = k
	return k, nil
}

// forget has the keeper looked for again, if it is still this one; nil: whichever.
func (p *peers) forget(k *keeper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keeper != nil && (k == nil || k == p.keeper) {
		p.keeper.client.CloseIdleConnections()
		p.keeper = nil
	}
}

// call asks the keeper.
func (p *peers) call(ctx context.Context, q request) (a answer, err error) {
	k, err := p.find(ctx)
	if err != nil {
		return a, err
	}
	if a, err = k.call(ctx, q); err != nil {
		p.forget(k)
		return a, fmt.Errorf("replica: the one that keeps the records: %w", err)
	}
	if err = a.err(); errors.Is(err, ErrNoKeeper) {
		p.forget(k)
	}
	return a, err
}

func (k *keeper) call(ctx context.Context, q request) (a answer, err error) {
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(q); err != nil {
		return a, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, k.url, &body)
	if err != nil {
		return a, err
	}
	res, err := k.client.Do(r)
	if err != nil {
		return a, err
	}
	defer drain(res.Body)
	if res.StatusCode != http.StatusOK {
		return a, errors.New(res.Status)
	}
	return a, gob.NewDecoder(io.LimitReader(res.Body, maxRequest)).Decode(&a)
}
