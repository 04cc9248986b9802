package page

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/exchange"
	"dragoman.dev/dragoman/internal/highlight"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/replay"
	"dragoman.dev/dragoman/web/page/content"
)

// maxCell is how much of one value is shown, in bytes.
const maxCell = 4 << 10

// maxStatement is how much of a statement is, in bytes.
const maxStatement = 256 << 10

// tableHead is a column of a result.
type tableHead struct {
	Name   string
	Masked bool // by column, whatever the value
}

// cell is a value of a result, as it was delivered.
type cell struct {
	replay.Value
	Masked bool
	Cut    int // its length in bytes, when not all of it is shown
}

// Empty tells a text without characters from no value.
func (c cell) Empty() bool { return !c.Null && !c.Hex && c.Text == "" }

// Class is that of the table's cell.
func (c cell) Class() string {
	if c.Masked {
		return "masked"
	}
	return ""
}

func (d *actionData) frame(f record.Frame) error {
	if f.Kind == record.KindOpen {
		_ = json.Unmarshal(f.Payload, &d.open) // without it, what follows is shown as bytes
		return nil
	}
	if f.Action != d.Ordinal {
		return nil
	}
	switch f.Kind {
	case record.KindAction:
		d.Action = &record.ActionPayload{}
		if err := json.Unmarshal(f.Payload, d.Action); err != nil {
			return fmt.Errorf("action %d cannot be read: %w", d.Ordinal, err)
		}
		d.marks = content.NewMarks(d.Action.Decision.Mask)
	case record.KindRequest, record.KindResponse:
		d.exchange(f)
	case record.KindResult:
		var res record.Result
		if json.Unmarshal(f.Payload, &res) == nil {
			d.masked(res.MaskedColumns)
			d.add(&block{Kind: "result", Title: res.Status, Code: res.Code, Text: res.Message, Masked: res.Masked})
		}
		return errEnough
	}
	return nil
}

// exchange takes frames of HTTP. Streams of Kubernetes are recorded in another form.
func (d *actionData) exchange(f record.Frame) {
	if p := d.open.Target.Protocol; p != "http" && p != "kubernetes" || d.Action == nil {
		return
	}
	if d.Exchange == nil {
		if p, err := exchange.Decode(f.Payload); err != nil || p.Kind != exchange.KindHead {
			return
		}
		d.Exchange = newExchange(d.Action)
	}
	d.Exchange.add(f)
}

// finish is called when all frames of the action were seen.
func (d *actionData) finish() {
	if d.Action.Action.Kind == action.KindKube && d.open.Target.Protocol == "kubernetes" && len(d.open.Identity.Actors) > 0 {
		d.Streams = "/sessions?" + url.Values{"identity": {d.open.Identity.Subject}, "target": {d.open.Target.Name}, "text": {"exec"}}.Encode()
	}
	if d.Exchange != nil {
		d.Exchange.finish(d.Action)
	}
}

// masked marks what is in columns that were masked whatever their values. NULL stays NULL, unless that is what a mask leaves.
func (d *actionData) masked(columns string) {
	if columns == "" {
		return
	}
	null := slices.ContainsFunc(d.Action.Decision.Mask, func(s mask.Spec) bool { return s.Way == mask.WayNull })
	for name := range strings.SplitSeq(columns, ",") {
		n, err := strconv.Atoi(name)
		if err != nil || n < 1 {
			continue
		}
		for _, b := range d.Blocks {
			if n <= len(b.Heads) {
				b.Heads[n-1].Masked = true
			}
			for _, row := range b.Rows {
				if n <= len(row) {
					row[n-1].Masked = null || !row[n-1].Null
				}
			}
		}
	}
}

func (d *actionData) add(b *block) {
	if len(d.Blocks) >= maxBlocks {
		d.Cut = true
		return
	}
	b.Text = b.Text[:min(len(b.Text), maxText)]
	d.Blocks = append(d.Blocks, b)
}

// message adds what was returned; what was asked is in the action itself, or in the exchange.
func (d *actionData) message(f record.Frame, e replay.Event) error {
	if f.Action != d.Ordinal || f.Kind != record.KindResponse || d.Exchange != nil {
		return nil
	}
	switch {
	case e.Columns != nil:
		b := &block{Kind: "table"}
		for _, c := range e.Columns {
			b.Heads = append(b.Heads, tableHead{Name: c.Name})
		}
		d.add(b)
		if e.Row != nil { // the first row of an Execute brings its columns along
			d.row(e.Row)
		}
	case e.Row != nil:
		d.row(e.Row)
	case e.Report != nil:
		text := e.Report.Message
		for _, more := range []string{e.Report.Detail, e.Report.Hint} {
			if more != "" {
				text += "\n" + more
			}
		}
		d.add(&block{Kind: "report", Title: e.Report.Severity + " " + e.Report.Code, Text: text})
	case len(e.Data) > 0:
		d.add(&block{Kind: "data", Title: e.Message, Text: string(e.Data[:min(len(e.Data), maxText)])})
	case strings.HasPrefix(e.Message, "long "), strings.HasPrefix(e.Message, "undecoded "):
		d.add(&block{Kind: "data", Title: e.Message, Text: "It is not taken apart here; dragoman sessions export has it."})
	}
	return nil
}

func (d *actionData) row(row []replay.Value) {
	var last *block
	if n := len(d.Blocks); n > 0 && d.Blocks[n-1].Kind == "table" {
		last = d.Blocks[n-1]
	} else {
		last = &block{Kind: "table"}
		d.add(last)
	}
	// One row is shown of every table, however wide it is.
	if len(last.Rows) >= maxRows || len(last.Rows) > 0 && (d.cells+len(row) > maxCells || d.bytes > maxBytes) {
		last.More++
		return
	}
	cells := make([]cell, len(row))
	for i, v := range row {
		cells[i] = d.cell(v)
		d.bytes += len(cells[i].Text)
	}
	d.cells += len(row)
	last.Rows = append(last.Rows, cells)
}

// cell is a value; of a long one the beginning is shown. What a detector found is told by what it left.
func (d *actionData) cell(v replay.Value) cell {
	c := cell{Value: v}
	if len(v.Text) > maxCell {
		c.Text, c.Cut = v.Text[:wholeRunes(v.Text, maxCell)], len(v.Text)
		if v.Hex {
			c.Cut /= 2
		}
	}
	if !v.Null && !v.Hex {
		c.Masked = slices.ContainsFunc(d.marks.Text(c.Text), func(s content.Span) bool { return s.Masked })
	}
	return c
}

// wholeRunes is at most n, and not within a character.
func wholeRunes(s string, n int) int {
	for cut := n; cut > n-utf8.UTFMax; cut-- {
		if utf8.RuneStart(s[cut]) {
			return cut
		}
	}
	return n // it is no UTF-8
}

// Code is the statement in its colours, and how much of it that is.
func (d actionData) Code() []highlight.Piece {
	text := d.Action.Action.Text
	if len(text) > maxStatement {
		text = text[:wholeRunes(text, maxStatement)]
	}
	return highlight.Text(d.Action.Action.Kind, d.open.Target.Protocol, text)
}

// Long is the statement's length when not all of it is shown.
func (d actionData) Long() int {
	if n := len(d.Action.Action.Text); n > maxStatement {
		return n
	}
	return 0
}

// codeLine is the text of an action on one line.
func codeLine(kind, protocol, text string) []highlight.Piece {
	list := highlight.Text(kind, protocol, text)
	for i := range list {
		if list[i].Class != highlight.Odd {
			list[i].Shown = oneLine.Replace(list[i].Shown)
		}
	}
	return list
}

var oneLine = strings.NewReplacer("\n", `\n`, "\t", `\t`)
