package postgres

import (
	"strings"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

// catalogAge is after how long a catalog is compared with the target again, when a statement comes.
const catalogAge = 5 * time.Second

// versionQuery tells cheaply whether the catalog has changed: a row that is
// added, changed or removed changes a count or a sum of transaction ids.
const versionQuery = `SELECT pg_catalog.concat_ws('.', ` +
	`(SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8), '/', max(oid::pg_catalog.int8)) FROM pg_catalog.pg_class),` +
	`(SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_attribute),` +
	`(SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_proc),` +
	`(SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_type),` +
	`(SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_rewrite),` +
	`(SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_namespace),` +
	`(SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_inherits),` +
	`(SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_operator),` +
	`(SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_cast))`

// database is what is known of one database of a target.
type database struct {
	mu      sync.Mutex
	catalog *pgsql.Catalog
	gen     uint64 // that the catalog was read for
	current uint64 // grows with every change that a session makes
	version string // versionQuery's answer for the catalog
	checked time.Time
	loading bool
	waiters []func()
	looks   looks
	core    coreRead
}

// coreRead is the core of a catalog, and pgsql.CoreVersionQuery's answer for it.
type coreRead struct {
	core    *pgsql.Core
	version string
}

// coreRead gives the core that was read last.
func (d *database) coreRead() coreRead {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.core
}

func (d *database) keepCore(r coreRead) {
	d.mu.Lock()
	d.core = r
	d.mu.Unlock()
}

// forgetCore lets go of a core that is not the target's any longer.
func (d *database) forgetCore(old coreRead) {
	d.mu.Lock()
	if d.core == old {
		d.core = coreRead{}
	}
	d.mu.Unlock()
}

// looks bounds how often statements with names that nobody knows make the gateway look into the target's catalog:
// maxLooks at once, and one more each lookEvery. Until then such a statement is judged as what it
// is, one with unresolved names.
type looks struct {
	used int
	last time.Time
}

const (
	maxLooks  = 8
	lookEvery = time.Second
)

// take reports whether the catalog may be looked into now.
func (l *looks) take(now time.Time) bool {
	if n := int(now.Sub(l.last) / lookEvery); n > 0 {
		l.used, l.last = max(0, l.used-n), now
	}
	if l.used >= maxLooks {
		return false
	}
	l.used++
	return true
}

// look reports whether the catalog may be looked into for the sake of an unknown name. It is compared then,
// and read again only if it has changed.
func (d *database) look(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.looks.take(now)
}

// env is what names mean to a session: it changes when either part does.
type env struct {
	catalog *pgsql.Catalog
	names   *pgsql.Names
	gen     uint64
	version string // versionQuery's answer for the catalog
	private bool   // read by the session itself, with its temporary objects or its transaction's changes
}

func (e *env) column(table uint32, attr int16) ([]sql.Column, bool) {
	if e == nil || e.catalog == nil {
		return nil, false
	}
	col, ok := e.catalog.Column(table, attr)
	if !ok {
		return nil, false
	}
	return e.catalog.Origins(col), true
}

// maskType is a type as masking needs it.
func (e *env) maskType(oid uint32, mod int32) mask.Type {
	t := mask.Type{OID: oid, Typmod: mod}
	if e == nil || oid < firstOwnOID {
		return t
	}
	own, ok := e.catalog.Type(oid)
	if !ok {
		return t
	}
	t.Name = own.Name
	switch own.Kind {
	case 'e':
		t.Kind = mask.KindEnum
	case 'c':
		t.Kind = mask.KindComposite
	case 'r':
		t.Kind = mask.KindRange
	case 'm':
		t.Kind = mask.KindMultirange
	case 'b':
		if own.Element != 0 && strings.HasPrefix(own.Name, "_") {
			elem := e.elemType(own.Element)
			t.Kind, t.Elem = mask.KindArray, &elem
		}
	}
	return t
}

// elemType is an array's element type; arrays have no arrays as elements.
func (e *env) elemType(oid uint32) mask.Type {
	if own, ok := e.catalog.Type(oid); ok && strings.HasPrefix(own.Name, "_") {
		return mask.Type{OID: oid}
	}
	return e.maskType(oid, -1)
}

// firstOwnOID is the first OID of objects that are not the server's own (FirstNormalObjectId).
const firstOwnOID = 16384

// columnType is the type of the first of the columns that the catalog knows.
func (e *env) columnType(cols []sql.Column) (mask.Type, bool) {
	if e == nil {
		return mask.Type{}, false
	}
	for _, col := range cols {
		r, ok := e.catalog.Relation(col.Schema, col.Table)
		if !ok {
			continue
		}
		for _, rc := range r.Columns {
			if rc.Name == col.Name {
				return e.maskType(rc.Type, -1), true
			}
		}
	}
	return mask.Type{}, false
}

// snapshot is a catalog as it was read.
type snapshot struct {
	catalog *pgsql.Catalog
	gen     uint64
	version string
}

// shared gives the catalog, and whether it is the newest that is known.
func (d *database) shared() (s snapshot, fresh bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return snapshot{d.catalog, d.gen, d.version}, d.catalog != nil && d.gen == d.current
}

// generation grows with every change of the schema that is known.
func (d *database) generation() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current
}

// changed notes a change of the schema.
func (d *database) changed() {
	d.mu.Lock()
	d.current++
	d.mu.Unlock()
}

// old reports whether the catalog has to be compared with the target.
func (d *database) old(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.loading && d.catalog != nil && now.Sub(d.checked) >= catalogAge
}

// takeCompare takes the task of comparing, if there is one; giveBack leaves it to the next.
func (d *database) takeCompare(now time.Time) bool {
	if !d.old(now) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.checked = now
	return true
}

func (d *database) giveBack() {
	d.mu.Lock()
	d.checked = time.Time{}
	d.mu.Unlock()
}

// compare takes versionQuery's answer.
func (d *database) compare(version string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.version != version {
		d.version = version
		d.current++
	}
}

// begin takes the task of reading the catalog; when another session has it,
// retry is called once that one is done.
func (d *database) begin(retry func()) (gen uint64, mine bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.loading {
		d.waiters = append(d.waiters, retry)
		return 0, false
	}
	d.loading = true
	return d.current, true
}

// finish ends the task; cat is nil when it failed. It gives the catalog to use.
func (d *database) finish(cat *pgsql.Catalog, gen uint64, version string, now time.Time) *pgsql.Catalog {
	d.mu.Lock()
	d.loading = false
	if cat != nil {
		if d.catalog != nil && d.catalog.Version() == cat.Version() {
			cat = d.catalog // what was made of it stays valid
		}
		d.catalog, d.gen, d.version, d.checked = cat, gen, version, now
	}
	waiters := d.waiters
	d.waiters = nil
	d.mu.Unlock()
	for _, w := range waiters {
		w()
	}
	return cat
}
