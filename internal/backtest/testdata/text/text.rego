package dragoman.policy

verdicts contains {"verdict": "block", "rule": "no-comments", "reason": "no comments"} if {
	contains(input.action.text, "--")
}
