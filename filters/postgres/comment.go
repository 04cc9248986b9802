package postgres

// comment is what is put before each statement, in the target's own log.
func (c *conn) comment() string {
	if !c.cfg.Comment {
		return ""
	}
	// A blank before the end, so that a chain that ends with a slash does not open a comment.
	return "/*dragoman " + commentText(c.s.ID()) + " " + commentText(c.s.Opened().Identity.Chain()) + " */ "
}

// commentText keeps text from ending or nesting a comment, and one byte a character, so that
// error positions can be corrected.
func commentText(s string) string {
	b := []byte(s)
	for i, ch := range b {
		if ch < ' ' || ch > '~' || ch == '*' {
			b[i] = '_'
		}
	}
	return string(b)
}
