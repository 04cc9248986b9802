package postgres

import (
	"fmt"

	"dragoman.dev/dragoman/internal/sql"
)

// asideText is from which length on a text is analysed beside the worker: it takes the parser about
// a second per MiB, and the worker's other sessions must not wait for that.
const asideText = 32 << 10

// maxAside is how many texts are analysed beside the workers at a time, in the whole process.
const maxAside = 2

// aside is the analysis of a long text, as long as the message that it is in waits.
type aside struct {
	text string
	env  *env
	list []*sql.Statement
}

// analyzeAside gives the analysis of a long text when it is there, and else has it made: the client's
// messages wait until then.
func (c *conn) analyzeAside(text string) (list []*sql.Statement, wait bool) {
	if a := c.aside; a != nil && a.env == c.env && a.text == text {
		return a.list, false
	}
	a := &aside{text: text, env: c.env}
	c.aside, c.wait = nil, waitAnalysis
	go func() {
		c.t.aside <- struct{}{}
		err := c.t.analyzeInto(a)
		<-c.t.aside
		c.host.Post(func() {
			if err != nil {
				c.t.rt.Log().Error("analysis of a long statement", "target", c.cfg.Target.Name, "error", err)
			}
			if c.state == stReady && c.wait == waitAnalysis {
				c.aside, c.wait = a, waitNone
				c.goOn()
			}
		})
	}()
	return nil, true
}

// analyzeInto makes the analysis. A panic of it is that of a statement that cannot be understood.
func (t *target) analyzeInto(a *aside) (err error) {
	a.list = []*sql.Statement{unparsed(a.text)}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	if list, err := t.analyzer.Analyze(a.text, a.env.analysis()); err == nil {
		a.list = list
	}
	return nil
}
