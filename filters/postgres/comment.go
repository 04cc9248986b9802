package postgres

import "dragoman.dev/dragoman/filters/statement"

// comment is what is put before each statement, in the target's own log.
func (c *conn) comment() string {
	if !c.cfg.Comment {
		return ""
	}
	return statement.Comment(c.s.ID(), c.s.Opened().Identity.Chain())
}
