package translog

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
)

// Inclusion proves that an entry is in the log of a checkpoint.
type Inclusion struct {
	Index      uint64   `json:"index"`
	Entry      []byte   `json:"entry"`
	Hashes     [][]byte `json:"hashes"` // RFC 6962's audit path, from the leaf up
	Checkpoint string   `json:"checkpoint"`
}

// Consistency proves that the log of one checkpoint begins with that of an older one.
type Consistency struct {
	From   uint64   `json:"from"` // size of the older
	To     uint64   `json:"to"`   // size of the newer
	Hashes [][]byte `json:"hashes"`
	// Checkpoint is the newer one, if it is the newest; others are with whoever kept them.
	Checkpoint string `json:"checkpoint,omitempty"`
}

// ErrRange says that the log has no such entry, or was never of that size.
var ErrRange = errors.New("not in the log")

// Inclusion proves an entry against the newest checkpoint.
func (l View) Inclusion(ctx context.Context, n uint64) (Inclusion, error) {
	raw, c, err := l.Checkpoint()
	if err != nil {
		return Inclusion{}, err
	}
	if n >= c.Size {
		return Inclusion{}, fmt.Errorf("translog: entry %d: %w, which has %d", n, ErrRange, c.Size)
	}
	entries, err := readBundle(l.dir, n/tileWidth, c.Size)
	if err != nil {
		return Inclusion{}, fmt.Errorf("translog: %w", err)
	}
	b, err := client.NewProofBuilder(ctx, c.Size, l.tiles.ReadTile)
	if err != nil {
		return Inclusion{}, fmt.Errorf("translog: %w", err)
	}
	hashes, err := b.InclusionProof(ctx, n)
	if err != nil {
		return Inclusion{}, fmt.Errorf("translog: %w", err)
	}
	return Inclusion{Index: n, Entry: entries[n%tileWidth], Hashes: hashes, Checkpoint: string(raw)}, nil
}

// Consistency proves the newest checkpoint against an older one of the given size.
func (l View) Consistency(ctx context.Context, from uint64) (Consistency, error) {
	return l.ConsistencyBetween(ctx, from, 0)
}

// ConsistencyBetween proves two sizes against each other; to 0 is the newest checkpoint's.
func (l View) ConsistencyBetween(ctx context.Context, from, to uint64) (Consistency, error) {
	raw, c, err := l.Checkpoint()
	if err != nil {
		return Consistency{}, err
	}
	p := Consistency{From: from, To: to, Hashes: [][]byte{}}
	if to == 0 || to == c.Size {
		p.To, p.Checkpoint = c.Size, string(raw)
	}
	if p.To > c.Size || from > p.To {
		return Consistency{}, fmt.Errorf("translog: sizes %d and %d: %w, which has %d entries", from, p.To, ErrRange, c.Size)
	}
	if from == 0 || from == p.To {
		return p, nil
	}
	b, err := client.NewProofBuilder(ctx, c.Size, l.tiles.ReadTile)
	if err == nil {
		p.Hashes, err = b.ConsistencyProof(ctx, from, p.To)
	}
	if err != nil {
		return p, fmt.Errorf("translog: %w", err)
	}
	return p, nil
}

// Verify checks the proof by the key that signs the log now.
func (p Inclusion) Verify(pub ed25519.PublicKey) error {
	c, err := verifiedCheckpoint([]byte(p.Checkpoint), pub)
	if err != nil {
		return err
	}
	h := leafHash(p.Entry)
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, c.Size, h[:], p.Hashes, c.Root[:]); err != nil {
		return fmt.Errorf("translog: %w", err)
	}
	return nil
}

// Verify checks the proof against the older checkpoint, which any of the keys may have signed.
func (p Consistency) Verify(old []byte, pubs ...ed25519.PublicKey) error {
	return p.VerifyBetween(old, []byte(p.Checkpoint), pubs...)
}

// VerifyBetween is Verify for a newer checkpoint that was kept, too.
func (p Consistency) VerifyBetween(old, newer []byte, pubs ...ed25519.PublicKey) error {
	o, err := verifiedCheckpoint(old, pubs...)
	if err != nil {
		return err
	}
	c, err := verifiedCheckpoint(newer, pubs...)
	if err != nil {
		return err
	}
	if o.Origin != c.Origin || o.Size != p.From || (p.To != 0 && p.To != c.Size) {
		return errors.New("translog: the proof is for another checkpoint")
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, o.Size, c.Size, p.Hashes, o.Root[:], c.Root[:]); err != nil {
		return fmt.Errorf("translog: %w", err)
	}
	return nil
}

func verifiedCheckpoint(raw []byte, pubs ...ed25519.PublicKey) (Checkpoint, error) {
	c, err := parseCheckpoint(raw)
	if err == nil {
		_, _, err = openCheckpoint(raw, c, pubs, nil)
	}
	if err != nil {
		return c, fmt.Errorf("translog: checkpoint: %w", err)
	}
	return c, nil
}
