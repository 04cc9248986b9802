package report

import (
	"bytes"
	"fmt"
	"os"
)

// Marks of the part of a page that a run writes.
const (
	Begin = "<!-- bench:begin -->"
	End   = "<!-- bench:end -->"
)

// WriteBetween replaces what is between the marks in the file.
func WriteBetween(path, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, err = splice(page, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, page, 0o644)
}

func splice(page []byte, text string) ([]byte, error) {
	head, rest, ok1 := bytes.Cut(page, []byte(Begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(End))
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("no %s … %s", Begin, End)
	}
	var b bytes.Buffer
	b.Write(head)
	fmt.Fprintf(&b, "%s\n%s\n%s", Begin, text, End)
	b.Write(tail)
	return b.Bytes(), nil
}

// WriteMarked replaces what is between <!-- bench:NAME:begin --> and <!-- bench:NAME:end --> in the file.
func WriteMarked(path, name, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- bench:"+name+":begin -->", "<!-- bench:"+name+":end -->"
	head, rest, ok1 := bytes.Cut(page, []byte(begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok1 || !ok2 {
		return fmt.Errorf("%s: no %s … %s", path, begin, end)
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%s%s\n%s\n%s%s", head, begin, text, end, tail), 0o644)
}
