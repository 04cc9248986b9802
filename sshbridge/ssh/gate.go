package ssh

import (
	"context"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sshwire"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// pass is Gate.Pass.
func (c *conn) pass(ctx context.Context, act action.Action, digest string, waiting func(string)) (gate.Passed, error) {
	return c.gate.Pass(ctx, act, digest, waiting)
}

// refuse records an action that is refused without asking policy.
func (c *conn) refuse(act action.Action, rule, reason, hint string) error {
	return c.gate.Refuse(c.ctx, act, rule, reason, hint)
}

// result records how an action ended.
func (c *conn) result(p gate.Passed, r record.Result) { c.gate.Result(p, r) }

// recordRequest records bytes for the target before they move.
func (c *conn) recordRequest(p gate.Passed, channel uint32, b []byte) error {
	var head [16]byte
	return c.gate.Record(p, true, sshwire.AppendDataHead(head[:0], channel, len(b)), b)
}
