package bridgefeed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// ReportEvery is how often a bridge says how it is; without a word for three times as long it is taken to be silent.
const ReportEvery = 5 * time.Second

// maxReport bounds a Report, maxWhy its text, in bytes.
const (
	maxReport = 64 << 10
	maxWhy    = 500
)

// Report is what a bridge says of itself.
type Report struct {
	Document  string `json:"document"`          // digest of the last Document that is in force
	Refused   string `json:"refused,omitempty"` // why a later one is not
	Policy    string `json:"policy"`            // its revision
	Targets   int    `json:"targets"`
	Sessions  int    `json:"sessions"`
	Unshipped int64  `json:"unshipped"` // bytes that its spool keeps
	Draining  bool   `json:"draining,omitempty"`
}

// Status is what is known of a node's bridge.
type Status struct {
	Report
	State     string    `json:"state"` // serves, pending, refused, draining, silent or away
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"` // of the newest stream
	Reported  time.Time `json:"reported,omitzero"`
}

// bridge is a node's on the control plane's end.
type bridge struct {
	streams  int
	since    time.Time
	sent     string // digest of the Document that it was told last
	report   Report
	reported time.Time
}

// Digest names a Document.
func Digest(doc []byte) string {
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:8])
}

// note changes what is known of a node's bridge.
func (s *Server) note(node string, change func(*bridge)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bridges[node]
	if b == nil {
		b = &bridge{}
		s.bridges[node] = b
	}
	change(b)
}

// Status is of a node's bridge; false if none has come since the control plane began.
func (s *Server) Status(node string) (Status, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bridges[node]
	if b == nil {
		return Status{}, false
	}
	out := Status{Report: b.report, Connected: b.streams > 0, Since: b.since, Reported: b.reported, State: "serves"}
	switch {
	case !out.Connected:
		out.State = "away"
	case time.Since(b.reported) > 3*ReportEvery:
		out.State = "silent"
	case b.report.Draining:
		out.State = "draining"
	case b.report.Refused != "":
		out.State = "refused"
	case b.sent == "" || b.report.Document != b.sent:
		out.State = "pending"
	}
	return out, true
}

// told is a Report with who claims to send it.
type told struct {
	Node   string `json:"node"`
	Report Report `json:"report"`
}

func (s *Server) reported(ctx context.Context, raw []byte) error {
	var t told
	if len(raw) > maxReport || json.Unmarshal(raw, &t) != nil {
		return status.Error(codes.InvalidArgument, "it is no report")
	}
	node, err := s.opt.Authenticate(ctx, t.Node)
	if err != nil {
		return status.Error(codes.PermissionDenied, err.Error())
	}
	t.Report.Refused = t.Report.Refused[:min(len(t.Report.Refused), maxWhy)]
	s.note(node, func(b *bridge) { b.report, b.reported = t.Report, time.Now() })
	return nil
}

var reportDesc = grpc.MethodDesc{
	MethodName: "Report",
	Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var raw wrapperspb.BytesValue
		if err := decode(&raw); err != nil {
			return nil, err
		}
		return &emptypb.Empty{}, srv.(service).reported(ctx, raw.Value)
	},
}

// Tell is a bridge's word to the control plane.
func Tell(ctx context.Context, conn *grpc.ClientConn, node string, r Report) error {
	r.Refused = r.Refused[:min(len(r.Refused), maxWhy)]
	raw, err := json.Marshal(told{Node: node, Report: r})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ReportEvery)
	defer cancel()
	return conn.Invoke(ctx, reportMethod, wrapperspb.Bytes(raw), &emptypb.Empty{})
}
