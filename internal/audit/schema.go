package audit

import (
	"context"
	"errors"
	"path/filepath"

	"dragoman.dev/dragoman/internal/sqlitedb"
)

// schema is version 1 of the index; later versions are more steps.
const schema = `
CREATE TABLE IF NOT EXISTS sessions (
  id TEXT PRIMARY KEY, file TEXT NOT NULL, node TEXT NOT NULL,
  target TEXT NOT NULL, protocol TEXT NOT NULL,
  subject TEXT NOT NULL, on_behalf_of TEXT NOT NULL, actors TEXT NOT NULL, groups TEXT NOT NULL,
  issuer TEXT NOT NULL, method TEXT NOT NULL,
  started INTEGER NOT NULL, ended INTEGER NOT NULL, live INTEGER NOT NULL,
  reason TEXT NOT NULL, message TEXT NOT NULL, lost INTEGER NOT NULL,
  client TEXT NOT NULL, application TEXT NOT NULL, database TEXT NOT NULL, user TEXT NOT NULL,
  actions INTEGER NOT NULL, allowed INTEGER NOT NULL, blocked INTEGER NOT NULL, held INTEGER NOT NULL,
  rows INTEGER NOT NULL, bytes INTEGER NOT NULL, masked INTEGER NOT NULL,
  frames INTEGER NOT NULL, stream INTEGER NOT NULL, undecoded INTEGER NOT NULL,
  sealed INTEGER NOT NULL, hash TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_started ON sessions (started DESC, id DESC);
CREATE INDEX IF NOT EXISTS sessions_target ON sessions (target, started DESC, id DESC);
CREATE INDEX IF NOT EXISTS sessions_live ON sessions (live) WHERE live = 1;
CREATE TABLE IF NOT EXISTS facts (
  kind TEXT NOT NULL, value TEXT NOT NULL, session TEXT NOT NULL,
  PRIMARY KEY (kind, value, session)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS facts_session ON facts (session);
CREATE TABLE IF NOT EXISTS actions (
  session TEXT NOT NULL, ordinal INTEGER NOT NULL, time INTEGER NOT NULL, kind TEXT NOT NULL,
  verdict TEXT NOT NULL, rule TEXT NOT NULL, why TEXT NOT NULL,
  verbs TEXT NOT NULL, tables TEXT NOT NULL, fingerprint TEXT NOT NULL, text TEXT NOT NULL,
  hold TEXT NOT NULL DEFAULT '', hold_state TEXT NOT NULL DEFAULT '', decided_by TEXT NOT NULL DEFAULT '[]',
  status TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '', tag TEXT NOT NULL DEFAULT '',
  rows INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, masked INTEGER NOT NULL DEFAULT 0,
  duration INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (session, ordinal)
) WITHOUT ROWID;
`

// leavesSchema is version 2: where the log has what.
const leavesSchema = `
CREATE TABLE leaves (
  n INTEGER PRIMARY KEY, session TEXT NOT NULL, state TEXT NOT NULL,
  frames INTEGER NOT NULL, hash TEXT NOT NULL, file_hash TEXT NOT NULL
);
CREATE INDEX leaves_session ON leaves (session, n);
`

// dropSchema leaves out the leaves: they are made again from the log.
const dropSchema = `DROP TABLE IF EXISTS sessions; DROP TABLE IF EXISTS facts; DROP TABLE IF EXISTS actions;`

func (s *Store) openIndex() error {
	path := filepath.Join(s.dir, "index.db")
	var err error
	if s.db, err = sqlitedb.Open(path); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1)
	if err := sqlitedb.Migrate(context.Background(), s.db, "audit", schema, leavesSchema); err != nil {
		return errors.Join(err, s.db.Close())
	}
	if s.rdb, err = sqlitedb.Open(path); err != nil {
		return errors.Join(err, s.db.Close())
	}
	return nil
}

func (s *Store) closeIndex() error { return errors.Join(s.rdb.Close(), s.db.Close()) }
