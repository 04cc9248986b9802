// Package statement is what the SQL filters share about one statement on its way through the pipeline: how it is
// recorded, what binds an approval to it, and what is said when it is refused. It knows
// no wire and no dialect.
package statement
