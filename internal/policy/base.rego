# What Rego of the policy folder adds to; empty by itself.
package dragoman.policy

verdicts contains {} if false

masks contains {} if false
