// Package statement is what the SQL filters share about one statement on its way through the pipeline: how it is
// recorded, what binds an approval to it, what is said when it is refused, and the mask plans of a target. It knows
// no wire and no dialect.
package statement
