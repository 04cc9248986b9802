package api

import (
	"errors"
	"fmt"
	"net/http"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/translog"
)

// Head is the newest checkpoint of the transparency log.
type Head struct {
	Checkpoint string `json:"checkpoint"` // the signed note: what an auditor keeps
	Origin     string `json:"origin"`
	Size       uint64 `json:"size"`
	Root       []byte `json:"root"`
}

func (h *handler) checkpoint(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	raw, err := h.Proofs.Checkpoint()
	if err != nil {
		return err
	}
	c, err := translog.ParseCheckpoint(raw)
	if err != nil {
		return err
	}
	return reply(w, Head{Checkpoint: string(raw), Origin: c.Origin, Size: c.Size, Root: c.Root[:]})
}

// proof is that of the session's newest entry.
func (h *handler) proof(w http.ResponseWriter, r *http.Request, _ Caller) error {
	p, err := h.Proofs.Proof(r.Context(), r.PathValue("id"))
	if err != nil {
		return unproven(err)
	}
	return reply(w, p)
}

func (h *handler) consistency(w http.ResponseWriter, r *http.Request, _ Caller) error {
	q := query{r: r}
	from, to := q.number("from"), q.number("to")
	if q.err != nil {
		return q.err
	}
	if from == 0 {
		return fmt.Errorf("%w: from is missing: the size of the older checkpoint", ErrInvalid)
	}
	p, err := h.Proofs.ConsistencyBetween(r.Context(), from, to)
	if err != nil {
		return unproven(err)
	}
	return reply(w, p)
}

func unproven(err error) error {
	switch {
	case errors.Is(err, audit.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.Is(err, translog.ErrRange):
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}
