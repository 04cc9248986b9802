package page

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/translog"
)

const (
	goodID    = "ses_01J0000000000000000000000G"
	changedID = "ses_01J0000000000000000000000C" // a byte of its record is another
	shortID   = "ses_01J0000000000000000000000S" // its last frame is missing
	brokenID  = "ses_01J0000000000000000000000B" // it cannot be read to its end
	forgedID  = "ses_01J0000000000000000000000F" // its entry was changed to fit a changed record, and the log's root was not
	otherID   = "ses_01J000000000000000000000X0" // its proof is that of another session
)

// logKey is the log's; its signatures are over what the audit format says.
var logKey = ed25519.NewKeyFromSeed(make([]byte, 32))

// chained are frames with their chain: what the record of a session is, made from docs/record-format.md alone.
func chained(id string, list []record.Frame) (hash [32]byte, length int) {
	hash = sha256.Sum256(append([]byte("drgses1\x00\x00\x01\x00"), append([]byte{byte(len(id))}, id...)...))
	for _, f := range list {
		b := f.AppendChained(nil)
		hash = sha256.Sum256(append(append([]byte("drgfrm1\x00"), hash[:]...), b...))
		length += len(b) + 32
	}
	return hash, length
}

// verifiable are the frames of a session of this file, for its proof and as they are given.
func verifiable(id string) (recorded, given []record.Frame, ok bool) {
	if !strings.HasPrefix(id, "ses_01J000000000000000000000") || !strings.ContainsAny(id[28:], "GCSBFX") {
		return nil, nil, false
	}
	list := append(tableFrames().left, record.Frame{Seq: 5, Time: time.Unix(1_700_000_100, 0), Kind: record.KindClose, Payload: []byte("{}")})
	for i := range list {
		list[i].Seq = uint64(i)
	}
	given = append([]record.Frame(nil), list...)
	if id == changedID || id == forgedID {
		given[2].Payload = append([]byte(nil), given[2].Payload...)
		given[2].Payload[len(given[2].Payload)-30] ^= 1
	}
	if id == shortID {
		given = given[:len(given)-1]
	}
	if id == forgedID {
		list = given
	}
	return list, given, true
}

// brokenFrames end with an error.
type brokenFrames struct{ frames }

func (b *brokenFrames) Next() (record.Frame, error) {
	if len(b.left) == 1 {
		return record.Frame{}, errors.New("the file was changed")
	}
	return b.frames.Next()
}

func leafOf(id string, frames []record.Frame) string {
	hash, length := chained(id, frames)
	return fmt.Sprintf("dragoman record leaf v1\nclosed\n%s\n%d\n%d\n%s\n%s\n%d\n", id, len(frames), length, hex.EncodeToString(hash[:]), strings.Repeat("0", 64), 1)
}

// Proof of a session of this file is in a log of two entries; other sessions have one that says nothing.
func (proofs) Proof(_ context.Context, id string) (translog.Inclusion, error) {
	recorded, _, ok := verifiable(id)
	if !ok {
		return translog.Inclusion{Checkpoint: "o\n1\nr\n"}, nil
	}
	entry := leafOf(id, recorded)
	if id == otherID {
		entry = leafOf(goodID, recorded)
	}
	logged := entry
	if id == forgedID {
		good, _, _ := verifiable(goodID)
		logged = leafOf(id, good)
	}
	sibling := sha256.Sum256([]byte("\x00another entry"))
	leaf := sha256.Sum256([]byte("\x00" + logged))
	root := sha256.Sum256(append(append([]byte{1}, sibling[:]...), leaf[:]...))
	origin := "example.org/" + id
	text := origin + "\n2\n" + base64.StdEncoding.EncodeToString(root[:]) + "\n"
	public := logKey.Public().(ed25519.PublicKey)
	key := sha256.Sum256(append([]byte(origin+"\n\x01"), public...))
	sig := append(key[:4:4], ed25519.Sign(logKey, []byte(text))...)
	return translog.Inclusion{Index: 1, Entry: []byte(entry), Hashes: [][]byte{sibling[:]}, Checkpoint: text + "\n— " + origin + " " + base64.StdEncoding.EncodeToString(sig) + "\n"}, nil
}

// checkInBrowser: the browser finds out by itself whether a record is the one that was entered in the log.
func checkInBrowser(t *testing.T, ctx context.Context, base string) {
	der, _ := x509.MarshalPKIXPublicKey(logKey.Public())
	good := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	wrong := strings.Replace(good, "Dv", "Ev", 1)
	der[20] ^= 1
	if wrong == good {
		wrong = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	for _, c := range []struct{ name, id, key, state, says string }{
		{"as it was entered", goodID, good, "good", "their chain ends in the entry's hash"},
		{"signed by another key", goodID, wrong, "wrong", "is not signed by the key that you gave!"},
		{"a changed byte", changedID, good, "wrong", "does not end in the entry's hash: the record was changed!"},
		{"without its end", shortID, good, "wrong", "The record has 4 frames, the entry speaks of 5."},
		{"one that cannot be read on", brokenID, good, "wrong", "The record cannot be read on after"},
		{"an entry that was made to fit", forgedID, good, "wrong", "the path does not lead to the checkpoint's root!"},
		{"the proof of another session", otherID, good, "wrong", "WRONG Entry 1 of 2"},
		{"without a key", goodID, "", "good", "not checked The log's signature"},
	} {
		if err := chromedp.Do(ctx, chromedp.Navigate(base+"/sessions/"+c.id), chromedp.WaitVisible(chromedp.CSS(".verify button")),
			chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.querySelector('.verify textarea').value = %q; undefined", c.key)), chromedp.Click(chromedp.CSS(".verify button"))); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		state, said := "", ""
		for end := time.Now().Add(time.Minute); (state == "" || state == "checking") && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			state, _ = chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".verify").dataset.state || ""`))
			said, _ = chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".verify output").innerText`))
		}
		if said = strings.Join(strings.Fields(said), " "); state != c.state || !strings.Contains(said, c.says) {
			t.Errorf("%s: %s\n%s", c.name, state, said)
		}
		red, _ := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll(".verify .tag.block").length`))
		if (red > 0) != (c.state == "wrong") {
			t.Errorf("%s: %d are red", c.name, red)
		}
	}
}
