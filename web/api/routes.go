package api

import "dragoman.dev/dragoman/internal/access"

// Who may call what. openapi.json says the same (x-roles), and a test compares.
var (
	anybody  []Role                              // without a token
	insiders = []Role{Reader, Auditor, Approver} // what the gateway does
	records  = []Role{Reader, Auditor}           // what sessions did
	auditors = []Role{Auditor}                   // who may do and read what
	deciders = []Role{Approver}
	admins   = []Role{Admin}
)

func (h *handler) routes() []Route {
	return []Route{
		{"GET /healthz", anybody, "", h.health},
		{"GET /readyz", anybody, "", h.ready},
		{"GET /openapi.json", anybody, "", h.openapi},
		{"GET /v1/identity/jwks.json", anybody, "", h.jwks},
		{"GET /metrics", insiders, "", h.metrics},
		{"GET /metrics/envoy", insiders, "", h.envoyMetrics},
		{"GET /v1/status", insiders, "", h.status},
		{"GET /v1/policy", insiders, "", h.policy},
		{"GET /v1/nodes", insiders, "", h.nodes},
		{"POST /v1/logins", admins, "", h.loginCode},
		{"POST /v1/tokens", admins, "", h.mint},
		{"GET /v1/tokens", auditors, "", h.listTokens},
		{"POST /v1/tokens/revoke", admins, "", h.revoke},
		{"GET /v1/approvals", insiders, "", h.listHolds},
		{"GET /v1/approvals/watch", insiders, "", h.watchHolds},
		{"GET /v1/approvals/{id}", insiders, "", h.showHold},
		{"POST /v1/approvals/{id}/approve", deciders, "", h.approve},
		{"POST /v1/approvals/{id}/deny", deciders, "", h.deny},
		{"GET /v1/sessions", records, "", h.listSessions}, // records what it lists
		{"GET /v1/sessions/{id}", records, access.Show, h.showSession},
		{"GET /v1/sessions/{id}/actions", records, access.Actions, h.actions},
		{"GET /v1/sessions/{id}/frames", records, access.Frames, h.frames},
		{"GET /v1/sessions/{id}/tail", records, access.Tail, h.tail},
		{"GET /v1/sessions/{id}/proof", records, access.Proof, h.proof},
		{"POST /v1/sessions/{id}/end", admins, "", h.endSession},
		{"POST /v1/sessions/{id}/lost", admins, "", h.loseSession},
		{"POST /v1/sessions/{id}/delete", admins, access.Delete, h.deleteSession},
		{"GET /v1/log/checkpoint", records, "", h.checkpoint},
		{"GET /v1/log/consistency", records, "", h.consistency},
		{"GET /v1/reads", auditors, "", h.listReads},
	}
}
