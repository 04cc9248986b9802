package mysql

import (
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/sql/mysql"
)

// catalogAge is after how long a catalog is compared with the target again, when a statement comes.
const catalogAge = 5 * time.Second

// catalogs is what is known of a target's schema, shared by its sessions.
type catalogs struct {
	mu      sync.Mutex
	catalog *mysql.Catalog
	gen     uint64 // that the catalog was read for
	current uint64 // grows with every change that is known
	version string // VersionQuery's answer for the catalog
	checked time.Time
	loading bool
	waiters []func()
	used    int // looks for the sake of unknown names
	last    time.Time
}

// snapshot is a catalog as it was read.
type snapshot struct {
	catalog *mysql.Catalog
	gen     uint64
	fresh   bool // it is the newest that is known of
}

func (d *catalogs) shared() snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	return snapshot{d.catalog, d.gen, d.catalog != nil && d.gen == d.current}
}

// changed notes a change of the schema.
func (d *catalogs) changed() {
	d.mu.Lock()
	d.current++
	d.mu.Unlock()
}

// old reports whether the catalog has to be compared with the target.
func (d *catalogs) old(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.loading && d.catalog != nil && now.Sub(d.checked) >= catalogAge
}

// takeCompare takes the task of comparing, if there is one or it is asked for; giveBack leaves it to the next.
func (d *catalogs) takeCompare(now time.Time, asked bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.loading || d.catalog == nil || !asked && now.Sub(d.checked) < catalogAge {
		return false
	}
	d.checked = now
	return true
}

func (d *catalogs) giveBack() {
	d.mu.Lock()
	d.checked = time.Time{}
	d.mu.Unlock()
}

// maxLooks and lookEvery bound how often statements with names that nobody knows make the gateway look into the target's
// catalog. Until then such a statement is judged as what it is, one with unresolved names.
const (
	maxLooks  = 8
	lookEvery = time.Second
)

// look reports whether the catalog may be looked into for the sake of an unknown name.
func (d *catalogs) look(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := int(now.Sub(d.last) / lookEvery); n > 0 {
		d.used, d.last = max(0, d.used-n), now
	}
	if d.used >= maxLooks {
		return false
	}
	d.used++
	return true
}

// compare takes VersionQuery's answer.
func (d *catalogs) compare(version string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.version != version {
		d.version = version
		d.current++
	}
}

// begin takes the task of reading the catalog; when another session has it, retry is called once that one is done.
func (d *catalogs) begin(retry func()) (gen uint64, mine bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.loading {
		d.waiters = append(d.waiters, retry)
		return 0, false
	}
	d.loading = true
	return d.current, true
}

// finish ends the task; cat is nil when it failed.
func (d *catalogs) finish(cat *mysql.Catalog, gen uint64, version string, now time.Time) {
	d.mu.Lock()
	d.loading = false
	if cat != nil {
		d.catalog, d.gen, d.version, d.checked = cat, gen, version, now
	}
	waiters := d.waiters
	d.waiters = nil
	d.mu.Unlock()
	for _, w := range waiters {
		w()
	}
}

func versionOf(greeting string) (int, bool) { return mysql.ParseVersion(greeting) }
