package policy

import (
	"context"
	"time"
)

type atKey struct{}

// At is a context under which a policy sees t as the present (time.now_ns):
// for judging what is past as it would have been judged then. Verdicts of policies that read the
// clock are never kept, so those of different times do not mix.
func At(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, atKey{}, t)
}

func presentOf(ctx context.Context) (time.Time, bool) {
	t, ok := ctx.Value(atKey{}).(time.Time)
	return t, ok
}

// Volatile reports whether verdicts depend on the clock, on chance or on anything else that
// is not in the input.
func (e *Engine) Volatile() bool { return e != nil && e.refs.clock }
