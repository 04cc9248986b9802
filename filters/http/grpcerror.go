package http

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// grpcDomain is that of our reasons (google.rpc.ErrorInfo).
const grpcDomain = "dragoman.dev"

// grpcStatus is the gRPC code for the HTTP status.
func (p *problem) grpcStatus() codes.Code {
	switch p.Status {
	case 400:
		return codes.InvalidArgument
	case 401:
		return codes.Unauthenticated
	case 403, 405:
		return codes.PermissionDenied
	case 413, 429:
		return codes.ResourceExhausted
	case 503:
		return codes.Unavailable
	}
	return codes.Internal
}

// grpcHead is the answer to a gRPC call of a content type: a head only.
func (p *problem) grpcHead(contentType string) [][2]string {
	text := p.Detail
	if p.Rule != "" {
		text += " (rule " + p.Rule + ")"
	}
	if contentType, _, _ = strings.Cut(contentType, ";"); !strings.HasPrefix(contentType, "application/grpc-web") {
		contentType = "application/grpc"
	}
	head := [][2]string{{":status", "200"}, {"content-type", contentType}, {"grpc-status", strconv.Itoa(int(p.grpcStatus()))},
		{"grpc-message", url.PathEscape(text)}, {"dragoman-code", p.Code}}
	if details := p.grpcDetails(text); details != "" {
		head = append(head, [2]string{"grpc-status-details-bin", details})
	}
	return head
}

// maxDetails bounds the details, in bytes: many clients take heads of 8 KiB and no longer.
const maxDetails = 4096

// grpcDetails is a google.rpc.Status with what programs are told, as libraries of gRPC read it; "" when there is too much to say.
func (p *problem) grpcDetails(text string) string {
	info := &errdetails.ErrorInfo{Reason: strings.ToUpper(p.Code), Domain: grpcDomain, Metadata: map[string]string{}}
	for key, value := range map[string]string{"code": p.Code, "rule": p.Rule, "hold": p.Hold, "url": p.URL, "instead": p.Hint, "instance": p.Instance,
		"approvers": strings.Join(p.Approvers, ",")} {
		if value != "" {
			info.Metadata[key] = strings.ToValidUTF8(value, "\uFFFD")
		}
	}
	if p.Deadline != nil {
		info.Metadata["deadline"] = p.Deadline.UTC().Format(time.RFC3339)
	}
	one, err := anypb.New(info)
	if err != nil {
		return ""
	}
	b, err := proto.Marshal(&status.Status{Code: int32(p.grpcStatus()), Message: strings.ToValidUTF8(text, "\uFFFD"), Details: []*anypb.Any{one}})
	if err != nil || len(b) > maxDetails {
		return ""
	}
	return base64.RawStdEncoding.EncodeToString(b)
}
