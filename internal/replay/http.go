package replay

import (
	"fmt"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/exchange"
)

// httpExchanges shows HTTP as it was sent and delivered. Each frame says what it is, so nothing is kept between them.
type httpExchanges struct{}

func (httpExchanges) Request(b []byte, emit func(Event) error) error {
	return httpPart(b, "> ", emit)
}

func (httpExchanges) Response(b []byte, emit func(Event) error) error {
	return httpPart(b, "", emit)
}

// maxShown is how much the text shows of one piece of a body.
const maxShown = 4096

func httpPart(b []byte, mark string, emit func(Event) error) error {
	p, err := exchange.Decode(b)
	if err != nil {
		return emit(Event{Message: "bytes", Data: b})
	}
	switch p.Kind {
	case exchange.KindHead:
		e := Event{Message: "head", Fields: map[string]any{"start": p.Start, "headers": pairs(p.Fields)}, Lines: []string{mark + p.Start}}
		return emit(withFields(e, mark, p.Fields))
	case exchange.KindTrailers:
		e := Event{Message: "trailers", Fields: map[string]any{"headers": pairs(p.Fields)}}
		return emit(withFields(e, mark, p.Fields))
	case exchange.KindCut:
		return emit(Event{Message: "cut", Fields: map[string]any{"bytes": p.Cut.Bytes, "recorded": p.Cut.Recorded, "sha256": p.Cut.SHA256},
			Lines: []string{fmt.Sprintf("%s(the body is truncated in the record: %d of %d bytes; SHA-256 of the whole: %s)", mark, p.Cut.Recorded, p.Cut.Bytes, p.Cut.SHA256)}})
	}
	shown, more := p.Body, ""
	if len(shown) > maxShown {
		cut := maxShown
		for cut > maxShown-utf8.UTFMax && !utf8.RuneStart(shown[cut]) {
			cut--
		}
		shown, more = shown[:cut], fmt.Sprintf(" … (%d bytes)", len(p.Body))
	}
	return emit(Event{Message: "body", Data: p.Body, Lines: []string{mark + data(shown) + more}})
}

func withFields(e Event, mark string, list []exchange.Field) Event {
	for _, f := range list {
		e.Lines = append(e.Lines, mark+f.Name+": "+f.Value)
	}
	return e
}

func pairs(list []exchange.Field) [][2]string {
	out := make([][2]string, len(list))
	for i, f := range list {
		out[i] = [2]string{f.Name, f.Value}
	}
	return out
}
