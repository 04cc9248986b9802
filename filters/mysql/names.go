package mysql

import (
	"fmt"
	"strings"
	"time"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/sql/mysql"
)

// names is what names in a text mean to the session.
type names struct {
	catalogNow *mysql.Catalog // of the target
	gen        uint64
	database   string
	mode       mysql.Mode
	asciiSafe  bool // the character sets are such that ASCII is ASCII
	utf8       bool // ... and other bytes are UTF-8
	namesDirty bool // database, SQL mode or character sets may have changed
	stale      bool // the catalog is to be compared with the target's
	temps      []*mysql.Table
	newTemp    []string // temporary tables that were made and not looked at
	own        mysql.Env
	ownKnown   bool
	unresolved string // the last text for whose sake the catalog was read again
	aside      *aside
	retry      time.Time // when names or catalog may be read again after a failure; zero: no failure
}

// env is what a text is analysed against.
func (c *conn) env() mysql.Env {
	if !c.ownKnown {
		cat := c.catalogNow
		for _, t := range c.temps {
			if cat != nil {
				cat = cat.With(t)
			}
		}
		c.own, c.ownKnown = mysql.Env{Catalog: cat, Database: c.database, Mode: c.mode}, true
	}
	return c.own
}

// changedNames forgets the env that was made.
func (c *conn) changedNames() { c.ownKnown = false }

func (c *conn) inTransaction() bool { return c.status&wire.StatusInTrans != 0 }

// uncertain reports whether a statement judged now may meet other names at the target.
func (c *conn) uncertain() bool {
	return c.catalogNow == nil || c.namesDirty || !c.retry.IsZero()
}

// settle makes sure that names mean what we think before a message is judged; true means that the message has to
// wait for that.
func (c *conn) settle(text string) bool {
	if !c.outdated() || diagnostic(text) {
		return false
	}
	asked := false
	c.prepareNames(func() {
		asked = true
		c.work()
	})
	return !asked || c.wait != waitNone
}

// diagnostic reports whether a text asks about the statement before it, whose answer a query of ours would change. It is
// plain enough to be read in any mode.
func diagnostic(text string) bool {
	if len(text) > 200 || strings.ContainsAny(text, "'\"`\\#;") || strings.Contains(text, "/*") || strings.Contains(text, "--") {
		return false
	}
	t := strings.ToLower(text)
	for _, word := range [...]string{"row_count", "found_rows", "warning", "show errors", "error_count", "last_insert_id"} {
		if strings.Contains(t, word) {
			return !strings.Contains(t, " from ")
		}
	}
	return false
}

// outdated reports whether names or catalog have to be read.
func (c *conn) outdated() bool {
	if c.now().Before(c.retry) {
		return false // the last try failed
	}
	if c.namesDirty || c.stale || len(c.newTemp) > 0 || c.catalogNow == nil {
		return true
	}
	known := c.t.catalog.shared()
	return known.gen != c.gen || !known.fresh || !c.inTransaction() && c.t.catalog.old(c.now())
}

// namesQuery reads what texts are read by.
const namesQuery = "SELECT DATABASE(), @@SESSION.sql_mode, @@SESSION.character_set_client, @@SESSION.character_set_connection, @@SESSION.character_set_results"

// asciiSets are character sets in which ASCII is ASCII, and no byte of a longer character is.
var asciiSets = map[string]bool{"utf8": true, "utf8mb3": true, "utf8mb4": true, "ascii": true, "latin1": true, "latin2": true, "latin5": true,
	"latin7": true, "binary": true, "cp1250": true, "cp1251": true, "cp1256": true, "cp1257": true, "koi8r": true, "koi8u": true, "greek": true,
	"hebrew": true, "cp850": true, "cp852": true, "cp866": true, "": true}

// prepareNames reads what is not known any more: names first, then the catalog. done is called when that is so, or
// cannot be had: then statements are judged as uncertain.
func (c *conn) prepareNames(done func()) {
	c.retry = time.Time{}
	if !c.namesDirty {
		c.prepareCatalog(done)
		return
	}
	c.runJob([]string{namesQuery}, func(results [][][]string, err error) {
		if err == nil && (len(results) != 1 || len(results[0]) != 1 || len(results[0][0]) != 5) {
			err = fmt.Errorf("an answer of another shape")
		}
		if err != nil {
			c.notPrepared("names", err, done)
			return
		}
		row := results[0][0]
		c.database, c.mode.SQLMode = row[0], row[1]
		client := row[2]
		c.asciiSafe = client != "" && asciiSets[client] && asciiSets[row[3]] && asciiSets[row[4]]
		c.utf8 = client == "utf8" || client == "utf8mb3" || client == "utf8mb4"
		c.namesDirty = false
		c.changedNames()
		c.prepareCatalog(done)
	})
}

// prepareCatalog takes the catalog that the target's sessions share, or reads it anew for all of them.
func (c *conn) prepareCatalog(done func()) {
	d := &c.t.catalog
	if (c.stale || !c.inTransaction()) && d.takeCompare(c.now(), c.stale) {
		c.compareCatalog(done)
		return
	}
	known := d.shared()
	if !known.fresh {
		c.readCatalog(done)
		return
	}
	c.stale = false
	if c.catalogNow != known.catalog {
		c.catalogNow = known.catalog
		c.changedNames()
	}
	c.gen = known.gen
	c.readTemps(done)
}

// compareCatalog looks whether somebody else has changed the catalog at the target.
func (c *conn) compareCatalog(done func()) {
	c.stale = false
	c.runJob([]string{mysql.VersionQuery}, func(results [][][]string, err error) {
		if err == nil && (len(results) != 1 || len(results[0]) != 1 || len(results[0][0]) != 1) {
			err = fmt.Errorf("an answer of another shape")
		}
		if err != nil {
			c.t.catalog.giveBack()
			c.notPrepared("catalog's version", err, done)
			return
		}
		c.t.catalog.compare(results[0][0][0])
		c.prepareCatalog(done)
	})
	c.job.release = c.t.catalog.giveBack
}

// catalogPatience is how long a session waits for another one's reading of the catalog.
const catalogPatience = 10 * time.Second

// readCatalog reads the catalog for all sessions of the target; one of them does it.
func (c *conn) readCatalog(done func()) {
	d := &c.t.catalog
	waits := true // for another session's reading; only the worker looks at it
	resume := func(next func()) func() {
		return func() {
			c.host.Post(func() {
				if waits && c.wait == waitJob && c.state != stClosed {
					waits, c.wait = false, waitNone
					next()
					c.commit()
				}
			})
		}
	}
	gen, mine := d.begin(resume(func() { c.prepareCatalog(done) }))
	if !mine {
		c.wait = waitJob
		// Whoever reads may hang at the target; that must not hold up everybody.
		time.AfterFunc(catalogPatience, resume(func() {
			c.notPrepared("catalog", fmt.Errorf("another session is still reading it"), done)
		}))
		return
	}
	release := func() { d.finish(nil, 0, "", c.now()) }
	queries := append([]string{mysql.VersionQuery}, mysql.Queries...)
	c.runJob(queries, func(results [][][]string, err error) {
		var cat *mysql.Catalog
		version := ""
		if err == nil && (len(results[0]) != 1 || len(results[0][0]) != 1) {
			err = fmt.Errorf("an answer of another shape")
		}
		decode := func() {
			if err == nil {
				version = results[0][0][0]
				cat, err = mysql.Decode(results[1:], c.database)
			}
			d.finish(cat, gen, version, c.now())
			if err != nil {
				c.notPrepared("catalog", err, done)
				return
			}
			c.prepareCatalog(done)
		}
		var hidden []string
		if err == nil {
			hidden = mysql.Hidden(results[1:])
		}
		if len(hidden) == 0 {
			decode()
			return
		}
		c.runJob(hidden, func(answers [][][]string, _ error) {
			mysql.Show(results[1:], answers)
			decode()
		})
		c.job.tolerant, c.job.release = true, release
	})
	c.job.release = release
}

// maxTemps bounds the temporary tables of a session that are known.
const maxTemps = 64

// readTemps looks at the temporary tables that were made.
func (c *conn) readTemps(done func()) {
	if len(c.newTemp) == 0 {
		done()
		return
	}
	name := c.newTemp[0]
	c.newTemp = c.newTemp[1:]
	db, table, _ := strings.Cut(name, "\x00")
	c.runJob([]string{"SHOW COLUMNS FROM `" + strings.ReplaceAll(table, "`", "``") + "` FROM `" + strings.ReplaceAll(db, "`", "``") + "`"}, func(results [][][]string, err error) {
		c.forgetTemp(db, table)
		if err == nil && len(results) == 1 && len(c.temps) < maxTemps {
			t := &mysql.Table{DB: db, Name: table}
			for _, row := range results[0] {
				if len(row) > 0 {
					t.Columns = append(t.Columns, mysql.Column{Name: row[0]})
				}
			}
			// A table of this name that is not temporary is in the catalog already.
			if known, ok := c.catalogNow.Table(db, table); !ok || !sameColumns(known, t) {
				c.temps = append(c.temps, t)
			}
		}
		c.changedNames()
		c.readTemps(done)
	})
}

func sameColumns(a, b *mysql.Table) bool {
	if len(a.Columns) != len(b.Columns) {
		return false
	}
	for i := range a.Columns {
		if a.Columns[i].Name != b.Columns[i].Name {
			return false
		}
	}
	return true
}

func (c *conn) forgetTemp(db, table string) {
	for i, t := range c.temps {
		if t.DB == db && t.Name == table {
			c.temps = append(c.temps[:i:i], c.temps[i+1:]...)
			c.changedNames()
			return
		}
	}
}

// notPrepared goes on without: what names mean is then not certain, for a while.
func (c *conn) notPrepared(what string, err error, done func()) {
	c.t.rt.Log().Error("the target's "+what+" could not be read", "target", c.cfg.Target.Name, "error", err)
	c.retry = c.now().Add(catalogAge)
	c.newTemp = nil
	done()
}
