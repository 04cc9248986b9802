// Package translog is the append-only transparency log of a deployment: a
// Merkle tree in tiles (C2SP tlog-tiles) with signed checkpoints (C2SP
// tlog-checkpoint, Ed25519), kept by Tessera on POSIX files. It owns the files
// under its folder, the checkpoint's form, changes of the signing key, proofs, and
// offline reading. What an entry means is its user's matter (package audit).
// docs/audit-format.md has the format.
package translog

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
)

// MaxEntry bounds an entry, in bytes: tlog-tiles has a length of 16 bits.
const MaxEntry = 1<<16 - 1

const (
	// batchAge is how long Tessera waits for more entries. Those of one Append come together, and between being given to it and
	// their integration the process must not lose the folder: Tessera panics then.
	batchAge        = 2 * time.Millisecond
	batchSize       = 256
	publishInterval = 200 * time.Millisecond // checkpoints are at least this far apart
	publishPoll     = 20 * time.Millisecond
	publishWait     = 60 * time.Second
	witnessTimeout  = 5 * time.Second
	spareFiles      = 16 // that Tessera may need for a batch
)

// ErrKey says that the log is signed by another key.
var ErrKey = errors.New("the log is signed by another key")

// Witness cosigns checkpoints over the C2SP tlog-witness API.
type Witness struct {
	Key string   // its verifier key, of the kind cosignature/v1
	URL *url.URL // prefix of add-checkpoint
}

// Options of a Log.
type Options struct {
	// Key signs checkpoints. Required.
	Key ed25519.PrivateKey
	// Origin is the log's name, unique in the world; "" means what the log has, or one made from the key.
	Origin string
	// Witnesses are asked to cosign each checkpoint. One that does not answer holds up a checkpoint
	// for some seconds, and it is published without it.
	Witnesses []Witness
	HTTP      *http.Client     // to witnesses; nil: http.DefaultClient
	Log       *slog.Logger     // nil: discard
	Now       func() time.Time // nil: time.Now
}

// Log appends. It is safe for concurrent use; one process at a time may have it open.
type Log struct {
	View
	origin   string
	opt      Options
	add      tessera.AddFn
	shutdown func(context.Context) error
	stop     context.CancelFunc
}

// Open opens or creates the log in dir. A log that another key signs is refused, unless it was handed to this one (Rotate).
func Open(dir string, opt Options) (*Log, error) {
	if len(opt.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("translog: a signing key is needed")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	origin, err := chooseOrigin(dir, opt)
	if err != nil {
		return nil, fmt.Errorf("translog: %w", err)
	}
	appending, err := opt.tessera(origin)
	if err != nil {
		return nil, fmt.Errorf("translog: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	driver, err := posix.New(ctx, posix.Config{Path: dir, HTTPClient: opt.HTTP})
	if err != nil {
		stop()
		return nil, fmt.Errorf("translog: %w", err)
	}
	a, shutdown, _, err := tessera.NewAppender(ctx, driver, appending)
	if err != nil {
		stop()
		return nil, fmt.Errorf("translog: %w", err)
	}
	l := &Log{View: NewView(dir), origin: origin, opt: opt, add: a.Add, shutdown: shutdown, stop: stop}
	// A crash may have come before the first one; then it is made soon.
	if err := l.await(context.Background(), func(Checkpoint) bool { return true }); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (opt Options) tessera(origin string) (*tessera.AppendOptions, error) {
	o := tessera.NewAppendOptions().WithCheckpointSigner(signer{origin, opt.Key}).
		WithBatching(batchSize, batchAge).WithCheckpointInterval(publishInterval).WithCheckpointRepublishInterval(0)
	if len(opt.Witnesses) == 0 {
		return o, nil
	}
	group := tessera.WitnessGroup{N: len(opt.Witnesses)}
	for _, w := range opt.Witnesses {
		c, err := tessera.NewWitness(w.Key, w.URL)
		if err != nil {
			return nil, fmt.Errorf("witness: %w", err)
		}
		group.Components = append(group.Components, c)
	}
	return o.WithWitnesses(group, &tessera.WitnessOptions{FailOpen: true, Timeout: witnessTimeout}), nil
}

// chooseOrigin finds the log's name, and checks that the key may go on with it.
func chooseOrigin(dir string, opt Options) (string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, "tile")); err == nil {
			return "", errors.New("the log has entries and no checkpoint: put it back from a copy")
		}
		if opt.Origin == "" {
			opt.Origin = "dragoman.dev/log/" + hex.EncodeToString(public(opt.Key)[:8])
		}
		if !validOrigin(opt.Origin) {
			return "", fmt.Errorf("origin %q: must be printable ASCII without spaces and +", opt.Origin)
		}
		return opt.Origin, nil
	}
	if err != nil {
		return "", err
	}
	c, err := parseCheckpoint(raw)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	if opt.Origin != "" && opt.Origin != c.Origin {
		return "", fmt.Errorf("the log's origin is %q, not %q", c.Origin, opt.Origin)
	}
	return c.Origin, checkKey(dir, raw, c, public(opt.Key))
}

// checkKey: the checkpoint must be of this key, and the log not handed on; or handed to it.
func checkKey(dir string, raw []byte, c Checkpoint, pub ed25519.PublicKey) error {
	_, _, err := openCheckpoint(raw, c, []ed25519.PublicKey{pub}, nil)
	if err == nil && (c.Size == 0 || !handedOn(dir, c.Size, pub)) {
		return nil
	}
	read, err := Read(dir, pub, nil, nil)
	if err != nil {
		return err
	}
	if !read.Current.Equal(pub) || len(read.Problems) > 0 {
		return fmt.Errorf("%w; problems: %v", ErrKey, read.Problems)
	}
	return nil
}

// handedOn: the newest entry gives the log to another key.
func handedOn(dir string, size uint64, pub ed25519.PublicKey) bool {
	entries, err := readBundle(dir, (size-1)/tileWidth, size)
	if err != nil || len(entries) == 0 {
		return true // look closer
	}
	k, err := ParseKeyChange(entries[len(entries)-1])
	return err == nil && k.Old.Equal(pub)
}

// Origin is the log's name.
func (l *Log) Origin() string { return l.origin }

// Append adds entries, in order, and returns their places when a published
// checkpoint covers them: from then on they are proven, and on the disk.
func (l *Log) Append(ctx context.Context, entries ...[]byte) ([]uint64, error) {
	if err := l.spareFiles(); err != nil {
		return nil, fmt.Errorf("translog: append: %w", err)
	}
	futures := make([]tessera.IndexFuture, len(entries))
	for i, e := range entries {
		futures[i] = l.add(ctx, tessera.NewEntry(e))
	}
	places := make([]uint64, len(entries))
	var last uint64
	for i, f := range futures {
		at, err := f()
		if err != nil {
			return nil, fmt.Errorf("translog: append: %w", err)
		}
		places[i] = at.Index
		last = max(last, at.Index)
	}
	return places, l.published(ctx, last)
}

// spareFiles fails when the process cannot open files: Tessera panics when it cannot open its lock, so
// nothing is given to it then.
func (l *Log) spareFiles() error {
	for range spareFiles {
		f, err := os.Open(l.dir)
		if err != nil {
			return err
		}
		defer f.Close()
	}
	return nil
}

// published waits for a checkpoint that covers entry n.
func (l *Log) published(ctx context.Context, n uint64) error {
	if err := l.await(ctx, func(c Checkpoint) bool { return c.Size > n }); err != nil {
		return fmt.Errorf("translog: no checkpoint covers entry %d: %w", n, err)
	}
	return nil
}

// await waits for a checkpoint.
func (l *Log) await(ctx context.Context, done func(Checkpoint) bool) error {
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	tick := time.NewTicker(publishPoll)
	defer tick.Stop()
	for {
		_, c, err := l.Checkpoint()
		if err == nil && done(c) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// Rotate hands the log to another key: its last act is an entry that both keys sign. After
// it, only Open with the new key succeeds.
func (l *Log) Rotate(ctx context.Context, to ed25519.PrivateKey) error {
	if len(to) != ed25519.PrivateKeySize || public(to).Equal(public(l.opt.Key)) {
		return errors.New("translog: rotate: another key is needed")
	}
	_, err := l.Append(ctx, signKeyChange(l.origin, l.opt.Key, to, l.opt.Now()))
	return err
}

// Close waits for what was appended and ends.
func (l *Log) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), publishWait)
	defer cancel()
	err := l.shutdown(ctx)
	l.stop()
	return err
}
