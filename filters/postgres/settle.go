package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

// settle makes sure that names mean what we think before a message is judged; true
// means that the message has to wait for that. Within a pipeline (before its
// Sync) nothing can be asked: statements are then judged as uncertain. text is the message's.
func (c *conn) settle(text string) bool {
	r := &c.relay
	c.nameless = false
	if r.open {
		return false
	}
	if r.unsettled > 0 && r.queue.len() > 0 {
		return c.waitFor(waitIdle)
	}
	if !c.outdated() {
		return false
	}
	if r.queue.len() > 0 {
		return c.waitFor(waitIdle)
	}
	if r.tx == wire.TxFailed {
		return false // nothing but the transaction's end will run
	}
	if r.tx == wire.TxBlock && !r.namesDirty && !c.stale {
		return false // reading now could fix the snapshot of the client's transaction
	}
	if r.tx == wire.TxBlock {
		if skip, wait := c.mustNotRead(text); skip || wait {
			return wait
		}
	}
	asked := false
	c.prepareNames(func() {
		asked = true
		c.work()
	})
	return !asked || c.wait != waitNone
}

// mustNotRead reports whether a query of our own between the transaction's statements would change what they do.
// SET TRANSACTION must come before any query; such a statement needs no names. And a LOCK is
// often there to come before the snapshot, which from REPEATABLE READ on the first query fixes for the whole
// transaction: it is then judged as one whose names are not certain.
func (c *conn) mustNotRead(text string) (skip, wait bool) {
	if c.locked != "" && c.locked == text {
		c.nameless = true
		return true, false
	}
	list, wait := c.analyzeHere(text)
	if wait {
		return false, true
	}
	needs, locks := false, false
	for _, st := range list {
		needs = needs || needsNames(st) || st.Action.Has(action.FeatureUnparsed) || st.Effects&sql.EffectOpaque != 0
		locks = locks || slices.Contains(st.Action.Verbs, "lock")
	}
	if !needs {
		return true, false
	}
	if !locks {
		return false, false
	}
	// SHOW takes no snapshot.
	c.runJob("SHOW transaction_isolation", func(value string, err error) {
		switch {
		case err != nil || value != "read committed" && value != "read uncommitted":
			c.locked = text
			c.work()
		default:
			c.prepareNames(c.work)
		}
	})
	return false, true
}

// outdated reports whether names or catalog have to be read.
func (c *conn) outdated() bool {
	if c.now().Before(c.retry) {
		return false // the last try failed
	}
	if c.relay.namesDirty || c.stale || c.env == nil {
		return true
	}
	if c.relay.tx != wire.TxIdle {
		return false
	}
	if c.env.private {
		return c.db.generation() != c.env.gen || c.db.old(c.now())
	}
	known, fresh := c.db.shared()
	return !fresh || known.gen != c.env.gen || c.db.old(c.now())
}

// dirty reports whether statements that are in flight change what names mean.
func (c *conn) dirty() bool { return c.relay.unsettled > 0 || c.relay.namesDirty }

// uncertain reports whether a statement judged now may meet other names at the target.
func (c *conn) uncertain() bool {
	return c.env == nil || c.env.names == nil || c.env.catalog == nil || c.dirty() || !c.retry.IsZero()
}

// transactionEnded is called when the target is outside a transaction.
func (c *conn) transactionEnded() {
	r := &c.relay
	r.txNames, c.locked = false, ""
	if r.ddl {
		r.ddl = false
		c.db.changed()
		c.stale = false // the change of generation has the catalog read again
	}
}

// prepareNames reads what is not known any more: names first, then the catalog. done is called
// when that is so, or cannot be had: then statements are judged as uncertain.
func (c *conn) prepareNames(done func()) {
	c.retry = time.Time{}
	if !c.relay.namesDirty {
		c.prepareCatalog(done)
		return
	}
	c.runJob(pgsql.NamesQuery, func(value string, err error) {
		if err == nil && value != c.namesText {
			var names pgsql.Names
			if names, err = pgsql.DecodeNames([]byte(value)); err == nil {
				c.names, c.namesText = &names, value
			}
		}
		if err != nil {
			c.notPrepared("names", err, done)
			return
		}
		c.relay.namesDirty = false
		c.prepareCatalog(done)
	})
}

// prepareCatalog takes the catalog that the database's sessions share, reads
// it anew for all of them, or for this session alone.
func (c *conn) prepareCatalog(done func()) {
	r := &c.relay
	if r.tx == wire.TxIdle && c.db.takeCompare(c.now()) {
		c.compareCatalog(done)
		return
	}
	private := r.ddl && r.tx == wire.TxBlock || c.names != nil && c.names.Temp != ""
	switch known, fresh := c.db.shared(); {
	case private:
		if c.stale || c.env == nil || !c.env.private || c.db.generation() != c.env.gen {
			c.readPrivate(done)
			return
		}
		c.use(snapshot{c.env.catalog, c.env.gen, c.env.version}, true)
	case c.stale || !fresh:
		c.readShared(done)
		return
	default:
		c.use(known, false)
	}
	done()
}

// compareCatalog looks whether somebody else has changed the catalog at the target.
func (c *conn) compareCatalog(done func()) {
	c.runJob(versionQuery, func(value string, err error) {
		if err != nil {
			c.db.giveBack()
			c.notPrepared("catalog's version", err, done)
			return
		}
		c.db.compare(value)
		c.prepareCatalog(done)
	})
	c.relay.job.release = c.db.giveBack
}

// use puts names and catalog in force.
func (c *conn) use(s snapshot, private bool) {
	c.stale = false
	e := c.env
	if e != nil && s.catalog != nil && e.catalog.Version() == s.catalog.Version() {
		s.catalog = e.catalog
	}
	if e == nil || e.catalog != s.catalog || e.names != c.names || e.private != private || e.gen != s.gen || e.version != s.version {
		c.env = newEnv(s, c.names, private)
	}
}

// readPrivate reads the catalog as this session alone sees it.
func (c *conn) readPrivate(done func()) {
	gen := c.db.generation()
	c.readCatalog(catalogTries, nil, func(cat *pgsql.Catalog, version string, err error) {
		if err != nil {
			c.notPrepared("catalog", err, done)
			return
		}
		c.use(snapshot{cat, gen, version}, true)
		done()
	})
}

// catalogPatience is how long a session waits for another one's reading of the catalog.
const catalogPatience = 10 * time.Second

var errCatalogLate = errors.New("another session is still reading it")

// readShared reads the catalog for all sessions of the database; one of them does it.
func (c *conn) readShared(done func()) {
	waits := true // for another session's reading; only the worker looks at it
	resume := func(next func()) func() {
		return func() {
			c.host.Post(func() {
				if waits && c.wait == waitJob {
					waits, c.wait = false, waitNone
					next()
					c.commit()
				}
			})
		}
	}
	gen, mine := c.db.begin(resume(func() {
		c.stale = false
		c.prepareCatalog(done)
	}))
	if !mine {
		c.wait = waitJob
		// Whoever reads may hang at the target; that must not hold up everybody.
		time.AfterFunc(catalogPatience, resume(func() { c.notPrepared("catalog", errCatalogLate, done) }))
		return
	}
	release := func() { c.db.finish(nil, 0, "", c.now()) }
	c.readCatalog(catalogTries, release, func(cat *pgsql.Catalog, version string, err error) {
		cat = c.db.finish(cat, gen, version, c.now())
		if err != nil {
			c.notPrepared("catalog", err, done)
			return
		}
		c.use(snapshot{cat, gen, version}, false)
		done()
	})
}

// catalogTries is how often a catalog is read: an object that somebody drops meanwhile makes it fail.
const catalogTries = 3

// separator stands between the parts of an answer; JSON never has it.
const separator = "\x1e"

// The catalog's version, that of its core, and the catalog with or without its core: all as of
// one snapshot, so that no later change goes unnoticed.
var (
	ownQuery   = joined(versionQuery, pgsql.CoreVersionQuery, pgsql.OwnQuery)
	wholeQuery = joined(versionQuery, pgsql.CoreVersionQuery, pgsql.OwnQuery, pgsql.CoreQuery)
)

func joined(queries ...string) string {
	return "SELECT pg_catalog.concat_ws(pg_catalog.chr(30), (" + strings.Join(queries, "), (") + "))"
}

// readCatalog reads the catalog; release is called when the connection is lost meanwhile. The core is read
// only when it is not known.
func (c *conn) readCatalog(tries int, release func(), done func(cat *pgsql.Catalog, version string, err error)) {
	core := c.db.coreRead()
	query := ownQuery
	if core.core == nil {
		query = wholeQuery
	}
	c.runJob(query, func(value string, err error) {
		if err != nil && tries > 1 && c.relay.tx != wire.TxFailed {
			c.readCatalog(tries-1, release, done)
			return
		}
		parts := strings.Split(value, separator)
		if err == nil && len(parts) == 3 && parts[1] != core.version {
			c.db.forgetCore(core)
			if tries > 1 {
				c.readCatalog(tries-1, release, done)
				return
			}
			err = errors.New("the server's own part of the catalog keeps changing")
		}
		var cat *pgsql.Catalog
		if err == nil {
			cat, err = c.catalogOf(core.core, parts)
		}
		done(cat, parts[0], err)
	})
	c.relay.job.release = release
}

// catalogOf decodes ownQuery's answer, or wholeQuery's.
func (c *conn) catalogOf(core *pgsql.Core, parts []string) (cat *pgsql.Catalog, err error) {
	switch {
	case len(parts) == 4:
		if core, err = pgsql.DecodeCore([]byte(parts[3])); err != nil {
			return nil, err
		}
		c.db.keepCore(coreRead{core, parts[1]})
	case len(parts) != 3 || core == nil:
		return nil, fmt.Errorf("the catalog has %d parts", len(parts))
	}
	return core.Decode([]byte(parts[2]))
}

// notPrepared goes on without: what names mean is then not certain, for a while.
func (c *conn) notPrepared(what string, err error, done func()) {
	c.t.rt.Log().Error("the target's "+what+" could not be read", "target", c.cfg.Target.Name, "database", c.database, "error", err)
	c.retry = c.now().Add(catalogAge)
	done()
}
