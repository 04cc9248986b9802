package mysql

import (
	"fmt"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sql/mysql"
)

// asideText is from which length on a text is analysed beside the worker, whose other sessions must not wait for it.
const asideText = 32 << 10

// maxAside is how many texts are analysed beside the workers at a time, in the whole process.
const maxAside = 2

// aside is the analysis of a long text, as long as the message that it is in waits.
type aside struct {
	text  string
	env   mysql.Env
	batch *mysql.Batch
}

// analyze takes a text apart. wait says that this is done aside, or that a name was met that the catalog may have by
// now, and that the text is to be given again then.
func (c *conn) analyze(text string) (b *mysql.Batch, wait bool) {
	if !c.readable(text) {
		return &mysql.Batch{Statements: []*sql.Statement{mysql.Unparsed(text)}, Text: text}, false
	}
	if len(text) > asideText {
		if b, wait = c.analyzeAside(text); wait {
			return nil, true
		}
	} else {
		b = c.t.analyzer.Analyze(text, c.env())
	}
	if text == c.unresolved || c.inTransaction() {
		return b, false
	}
	for _, st := range b.Statements {
		if st.Action.Has(action.FeatureUnresolved) && c.t.catalog.look(c.now()) {
			c.unresolved = text
			c.t.catalog.giveBack()
			return b, c.settle(text)
		}
	}
	return b, false
}

// readable reports whether the bytes mean to the server what they mean to us.
func (c *conn) readable(text string) bool {
	if !c.asciiSafe {
		return false
	}
	for i := range len(text) {
		if text[i] >= 0x80 {
			return c.utf8
		}
	}
	return true
}

// analyzeAside gives the analysis of a long text when it is there, and else has it made.
func (c *conn) analyzeAside(text string) (*mysql.Batch, bool) {
	if a := c.aside; a != nil && a.env == c.env() && a.text == text {
		return a.batch, false
	}
	a := &aside{text: text, env: c.env()}
	c.aside, c.wait = nil, waitAnalysis
	go func() {
		c.t.module.aside <- struct{}{}
		err := c.t.analyzeInto(a)
		<-c.t.module.aside
		c.host.Post(func() {
			if err != nil {
				c.t.rt.Log().Error("analysis of a long statement", "target", c.cfg.Target.Name, "error", err)
			}
			if c.state == stReady && c.wait == waitAnalysis {
				c.aside, c.wait = a, waitNone
				c.work()
			}
		})
	}()
	return nil, true
}

// analyzeInto makes the analysis. A panic of it is that of a statement that cannot be understood.
func (t *target) analyzeInto(a *aside) (err error) {
	a.batch = &mysql.Batch{Statements: []*sql.Statement{mysql.Unparsed(a.text)}, Text: a.text}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	a.batch = t.analyzer.Analyze(a.text, a.env)
	return nil
}
