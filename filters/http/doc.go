// Package http is the HTTP filter: who asks, what is asked, whether it may pass, what comes back. It owns one
// stream's way through the pipeline (rule 8): identify → open → understand → judge → (hold) → record →
// forward → mask → record → deliver. Envoy owns the protocol itself.
//
// It leaves understanding of heads and bodies to request, masking to content and header, MCP to mcp, and what
// a session is to internal/session: all streams of one credential and client are one session, a Span.
//
// A stream stops at its head until it may pass. Bytes of the body that come meanwhile are kept by Envoy, up to a bound,
// and copied here, since what is passed on later is not shown again. Whatever is passed on is recorded before.
package http
