package config

import (
	"path/filepath"
	"strings"
)

// Encryption is that of bodies at rest.
type Encryption struct {
	// Off leaves bodies as they are.
	Off bool `yaml:"off"`
	// Key is the key-encryption key: file:PATH or the URL of one in a KMS or Vault.
	Key string `yaml:"key"`
	// Old ones open what they have wrapped.
	Old []string `yaml:"old"`
}

// KeySchemes are the ways to a key-encryption key that is not in a file.
var KeySchemes = []string{"awskms", "azurekeyvault", "gcpkms", "hashivault"}

// kekFile is the default, in the folder of keys.
const kekFile = "bodies.kek"

func (e *Encryption) complete(dir, keys string) {
	setDefault(&e.Key, "file:"+filepath.Join(keys, kekFile))
	for _, k := range append([]*string{&e.Key}, pointers(e.Old)...) {
		if path, ok := strings.CutPrefix(*k, "file:"); ok && path != "" && !filepath.IsAbs(path) {
			*k = "file:" + filepath.Join(dir, path)
		}
	}
}

func pointers(list []string) (all []*string) {
	for i := range list {
		all = append(all, &list[i])
	}
	return all
}

func (e *Encryption) validate(p *problems) {
	checkKEK(p, "audit.encryption.key", e.Key)
	seen := map[string]bool{e.Key: true}
	for i, k := range e.Old {
		path := index("audit.encryption.old", i)
		checkKEK(p, path, k)
		if seen[k] {
			p.addf(path, "%q is listed twice", k)
		}
		seen[k] = true
	}
}

func checkKEK(p *problems, path, key string) {
	if rest, ok := strings.CutPrefix(key, "file:"); ok && rest != "" {
		return
	}
	for _, s := range KeySchemes {
		if rest, ok := strings.CutPrefix(key, s+"://"); ok && rest != "" {
			return
		}
	}
	p.addf(path, "must be file:PATH or the URL of a key, which begins with %s://", strings.Join(KeySchemes, "://, "))
}
