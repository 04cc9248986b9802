package sqlindex

// The tables that are made from the records. Times are in nanoseconds, lists are JSON.
const tables = `
CREATE TABLE sessions (
  n BIGINT PRIMARY KEY, id TEXT NOT NULL UNIQUE, file TEXT NOT NULL, node TEXT NOT NULL,
  target TEXT NOT NULL, protocol TEXT NOT NULL,
  subject TEXT NOT NULL, on_behalf_of TEXT NOT NULL, actors TEXT NOT NULL, groups TEXT NOT NULL,
  issuer TEXT NOT NULL, method TEXT NOT NULL,
  started BIGINT NOT NULL, ended BIGINT NOT NULL, live BOOLEAN NOT NULL,
  reason TEXT NOT NULL, message TEXT NOT NULL, lost BOOLEAN NOT NULL,
  client TEXT NOT NULL, application TEXT NOT NULL, database TEXT NOT NULL, "user" TEXT NOT NULL,
  actions BIGINT NOT NULL, allowed BIGINT NOT NULL, blocked BIGINT NOT NULL, held BIGINT NOT NULL,
  rows BIGINT NOT NULL, bytes BIGINT NOT NULL, masked BIGINT NOT NULL,
  frames BIGINT NOT NULL, stream BIGINT NOT NULL, undecoded BIGINT NOT NULL,
  sealed BOOLEAN NOT NULL, hash TEXT NOT NULL
);
CREATE INDEX sessions_live ON sessions (n) WHERE live;
CREATE TABLE actions (
  n BIGINT NOT NULL, ordinal BIGINT NOT NULL, time BIGINT NOT NULL, kind TEXT NOT NULL,
  verdict TEXT NOT NULL, rule TEXT NOT NULL, why TEXT NOT NULL,
  verbs TEXT NOT NULL, tables TEXT NOT NULL, fingerprint TEXT NOT NULL, text TEXT NOT NULL,
  hold TEXT NOT NULL DEFAULT '', hold_state TEXT NOT NULL DEFAULT '', decided_by TEXT NOT NULL DEFAULT '[]',
  status TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '', tag TEXT NOT NULL DEFAULT '',
  rows BIGINT NOT NULL DEFAULT 0, bytes BIGINT NOT NULL DEFAULT 0, masked BIGINT NOT NULL DEFAULT 0,
  duration BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (n, ordinal)
)`

// Those that stay in a Rebuild: leaves apart, which it empties.
const (
	leavesTable = `CREATE TABLE leaves (
  n BIGINT PRIMARY KEY, session TEXT NOT NULL, state TEXT NOT NULL,
  frames BIGINT NOT NULL, hash TEXT NOT NULL, file_hash TEXT NOT NULL
);
CREATE INDEX leaves_session ON leaves (session, n);
`
	// stale has one row while a Rebuild is under way; nodes what it keeps.
	rebuildTables = `CREATE TABLE stale (since BIGINT PRIMARY KEY);
CREATE TABLE nodes (id TEXT PRIMARY KEY, node TEXT NOT NULL);
`
)

const sessionColumns = `id, file, node, target, protocol, subject, on_behalf_of, actors, groups, issuer, method, started, ended,
 live, reason, message, lost, client, application, database, "user", actions, allowed, blocked, held, rows, bytes, masked,
 frames, stream, undecoded, sealed, hash`

const actionColumns = `ordinal, time, kind, verdict, rule, why, verbs, tables, fingerprint, text,
 hold, hold_state, decided_by, status, code, message, tag, rows, bytes, masked, duration`
