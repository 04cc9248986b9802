package policy

// UsesParams reports whether the policy looks at an action's parameters: a
// statement can then be judged only once they are known. A nil Engine does not.
func (e *Engine) UsesParams() bool { return e != nil && e.refs.params }
