package check

import (
	"encoding/json"
	"errors"
	"fmt"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/strictjson"
)

// Keys of CheckRequest.attributes.context_extensions. Envoy fills that map
// from its own configuration, never from what a client sent.
const (
	KeyQuestion = "dragoman"         // QuestionOpen or QuestionHold
	KeyVersion  = "dragoman.version" // Version
	KeyRequest  = "dragoman.request" // JSON of OpenRequest or HoldRequest
)

// KeyAnswer is the key of CheckResponse.dynamic_metadata; its value is a
// string, the JSON of an answer. (A string, since a protobuf Struct would turn
// integers into floats.)
const KeyAnswer = "dragoman"

// Questions.
const (
	QuestionOpen = "open"
	QuestionHold = "hold"
)

// Version of the conversation. A peer of another version, or one that sends a
// field that we do not know, is refused: not understanding a restriction must
// not mean going on without it.
const Version = "1"

// MaxMessage bounds a question and an answer, in bytes: a statement of 1 MiB
// (nodeconfig.Limits) can grow sixfold as JSON, with parameters beside it.
const MaxMessage = 16 << 20

// Question is a decoded question: exactly one pointer is set.
type Question struct {
	Open *OpenRequest
	Hold *HoldRequest
}

// answer is what travels back: exactly one is set.
type answer struct {
	Open    *OpenResponse `json:"open,omitempty"`
	Hold    *HoldResponse `json:"hold,omitempty"`
	Refusal *Refusal      `json:"refusal,omitempty"`
}

// Errors of decoding. They never quote the message: it may hold secrets.
var (
	ErrNotOurs   = errors.New("check: not a dragoman question")
	ErrVersion   = errors.New("check: the peer speaks another version")
	ErrMalformed = errors.New("check: malformed message")
)

// EncodeOpen makes the CheckRequest of an open question.
func EncodeOpen(req OpenRequest) (*auth.CheckRequest, error) {
	return encodeQuestion(QuestionOpen, req)
}

// EncodeHold makes the CheckRequest of a hold question.
func EncodeHold(req HoldRequest) (*auth.CheckRequest, error) {
	return encodeQuestion(QuestionHold, req)
}

func encodeQuestion(question string, req any) (*auth.CheckRequest, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("check: encoding a question: %w", err)
	}
	if len(body) > MaxMessage {
		return nil, fmt.Errorf("check: a question of %d bytes is over the limit of %d", len(body), MaxMessage)
	}
	return &auth.CheckRequest{Attributes: &auth.AttributeContext{ContextExtensions: map[string]string{
		KeyQuestion: question, KeyVersion: Version, KeyRequest: string(body),
	}}}, nil
}

// DecodeQuestion reads a CheckRequest. It fails with ErrNotOurs for a stock
// ext_authz request.
func DecodeQuestion(req *auth.CheckRequest) (Question, error) {
	ext := req.GetAttributes().GetContextExtensions()
	kind, ours := ext[KeyQuestion]
	if !ours {
		return Question{}, ErrNotOurs
	}
	if ext[KeyVersion] != Version {
		return Question{}, ErrVersion
	}
	var q Question
	var into any
	switch kind {
	case QuestionOpen:
		q.Open = new(OpenRequest)
		into = q.Open
	case QuestionHold:
		q.Hold = new(HoldRequest)
		into = q.Hold
	default:
		return Question{}, ErrMalformed
	}
	if err := decode(ext[KeyRequest], into); err != nil {
		return Question{}, err
	}
	return q, nil
}

// decode hides what encoding/json says, since that may quote the input.
func decode(body string, into any) error {
	if len(body) > MaxMessage || strictjson.Decode([]byte(body), into) != nil {
		return ErrMalformed
	}
	return nil
}

// EncodeOpened makes the answer to a granted open question.
func EncodeOpened(res OpenResponse) (*auth.CheckResponse, error) {
	return encodeAnswer(codes.OK, answer{Open: &res})
}

// EncodeHeld makes the answer to a hold question. Its status is OK only when
// the action may run.
func EncodeHeld(res HoldResponse) (*auth.CheckResponse, error) {
	code := codes.PermissionDenied
	if res.State == hold.Used {
		code = codes.OK
	}
	return encodeAnswer(code, answer{Hold: &res})
}

// EncodeRefusal makes the answer that says no.
func EncodeRefusal(r *Refusal) (*auth.CheckResponse, error) {
	code := codes.PermissionDenied
	switch r.Code {
	case CodeUnauthenticated:
		code = codes.Unauthenticated
	case CodeUnavailable:
		code = codes.Unavailable
	}
	return encodeAnswer(code, answer{Refusal: r})
}

func encodeAnswer(code codes.Code, a answer) (*auth.CheckResponse, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("check: encoding an answer: %w", err)
	}
	if len(body) > MaxMessage {
		return nil, fmt.Errorf("check: an answer of %d bytes is over the limit of %d", len(body), MaxMessage)
	}
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(code)},
		DynamicMetadata: &structpb.Struct{Fields: map[string]*structpb.Value{
			KeyAnswer: structpb.NewStringValue(string(body)),
		}},
	}, nil
}

// decodeAnswer reads a CheckResponse; a refusal comes back as the error.
func decodeAnswer(res *auth.CheckResponse) (answer, error) {
	v, ok := res.GetDynamicMetadata().GetFields()[KeyAnswer]
	if !ok {
		return answer{}, ErrMalformed
	}
	var a answer
	if err := decode(v.GetStringValue(), &a); err != nil {
		return answer{}, err
	}
	set := 0
	for _, is := range []bool{a.Open != nil, a.Hold != nil, a.Refusal != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return answer{}, ErrMalformed
	}
	if a.Refusal != nil {
		return answer{}, a.Refusal
	}
	return a, nil
}

// DecodeOpened reads the answer to an open question; it fails with *Refusal
// when authz says no.
func DecodeOpened(res *auth.CheckResponse) (OpenResponse, error) {
	a, err := decodeAnswer(res)
	if err != nil {
		return OpenResponse{}, err
	}
	if a.Open == nil || codes.Code(res.GetStatus().GetCode()) != codes.OK {
		return OpenResponse{}, ErrMalformed
	}
	return *a.Open, nil
}

// DecodeHeld reads the answer to a hold question. State Used with another
// status than OK, or the other way round, is an error.
func DecodeHeld(res *auth.CheckResponse) (HoldResponse, error) {
	a, err := decodeAnswer(res)
	if err != nil {
		return HoldResponse{}, err
	}
	ok := codes.Code(res.GetStatus().GetCode()) == codes.OK
	if a.Hold == nil || ok != (a.Hold.State == hold.Used) {
		return HoldResponse{}, ErrMalformed
	}
	return *a.Hold, nil
}
