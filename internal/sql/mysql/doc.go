// Package mysql fills in what is known of a statement of MySQL or MariaDB (internal/sql): the action for policy, and the
// lineage for masking. The grammar is that of TiDB, which is MySQL's; what it does not parse is a statement of
// which nothing is known (feature unparsed).
//
// Text is brought into a form without comments first (lex.go), and that form is what goes to the target: what is in a
// comment here and code there, or the other way round, cannot differ between the two.
//
// Lineage errs on the safe side: what is computed with a column is a probe of it unless it is certain that neither an
// error, nor NULL, nor time can tell about it; names that are not in the catalog make a statement unresolved.
// See docs/decisions/0052-mysql-grammar.md.
package mysql
