package approval

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
)

// Bounds of what agents say of their own accord.
const (
	MaxPurpose  = 500 // bytes
	purposeLife = time.Hour
	maxPurposes = 10_000
)

// purposes are the reasons that agents gave before they were held: by identity and target, for an hour. They are
// words to read and decide nothing, so they are in memory only. The zero value is ready.
type purposes struct {
	mu sync.Mutex
	m  map[string]purpose
}

type purpose struct {
	text string
	at   time.Time
}

func purposeKey(id identity.Identity, target string) string {
	return strings.Join(append([]string{target, id.Issuer, id.TokenID}, id.Actors...), "\x00")
}

func (p *purposes) put(key, text string, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil {
		p.m = map[string]purpose{}
	}
	if _, known := p.m[key]; !known && len(p.m) >= maxPurposes {
		for k, old := range p.m {
			if now.Sub(old.at) > purposeLife {
				delete(p.m, k)
			}
		}
		if len(p.m) >= maxPurposes {
			return fmt.Errorf("%w: too many reasons are kept already", ErrInvalid)
		}
	}
	p.m[key] = purpose{text, now}
	return nil
}

func (p *purposes) get(key string, now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one, ok := p.m[key]; ok && now.Sub(one.at) <= purposeLife {
		return one.text
	}
	return ""
}

// Purpose keeps an agent's reason for what of it will be held on a target within the next hour.
func (s *Service) Purpose(id identity.Identity, target, text string) error {
	text, err := cleanPurpose(text)
	if err != nil {
		return err
	}
	return s.purposes.put(purposeKey(id, target), text, s.c.Now())
}

// Tell adds an agent's reason to its own hold, as long as nobody has decided. Somebody else's hold is ErrNotFound.
func (s *Service) Tell(ctx context.Context, holdID string, by identity.Identity, text string) (hold.Hold, error) {
	text, err := cleanPurpose(text)
	if err != nil {
		return hold.Hold{}, err
	}
	h, err := s.Show(ctx, holdID)
	if err != nil {
		return hold.Hold{}, err
	}
	if !h.Identity.SameAs(by) {
		return hold.Hold{}, ErrNotFound
	}
	return s.change(ctx, holdID, Event{Kind: Tell, Purpose: text})
}

// cleanPurpose makes one line of it.
func cleanPurpose(text string) (string, error) {
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))), " ")
	switch {
	case text == "":
		return "", fmt.Errorf("%w: the reason is empty", ErrInvalid)
	case len(text) > MaxPurpose:
		return "", fmt.Errorf("%w: a reason has at most %d bytes", ErrInvalid, MaxPurpose)
	}
	return text, nil
}
