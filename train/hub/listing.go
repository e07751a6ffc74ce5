package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"

	"github.com/mcil/mcil/schemas"
)

// Bounds of what a server may announce.
const (
	maxListingBytes = 32 << 20
	maxSmallBytes   = 16 << 20 // config.json, vocab.txt, mcil.json
	maxTensorBytes  = 64 << 30
)

// listAttempts bounds how long one who has no network waits for being told so.
const listAttempts = 3

// file is a file of the listing.
type file struct {
	name   string
	size   int64
	digest string // SHA-256, or git's digest of a blob; the name in the cache
}

// listing is what the Hub tells of a revision.
type listing struct {
	SHA      string `json:"sha"`
	Siblings []struct {
		Name   string `json:"rfilename"`
		Size   *int64 `json:"size"`
		BlobID string `json:"blobId"`
		LFS    *struct {
			SHA256 string `json:"sha256"`
			Size   *int64 `json:"size"`
		} `json:"lfs"`
	} `json:"siblings"`
}

// list resolves the revision and chooses the files. Where a cached snapshot will do, it is not patient.
func (c *client) list(ctx context.Context, impatient bool) (commit string, files []file, err error) {
	attempts := min(c.o.Attempts, listAttempts)
	if impatient {
		attempts = 1
	}
	var body bytes.Buffer
	address := c.o.Endpoint + "/api/models/" + c.repo.path() + "/revision/" + url.PathEscape(c.repo.Revision) + "?blobs=true"
	err = c.retry(ctx, attempts, func(ctx context.Context, alive func()) (bool, error) {
		res, err := c.get(ctx, address, 0)
		if err != nil {
			return false, err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return false, c.statusError(res)
		}
		body.Reset()
		n, err := io.Copy(&body, io.LimitReader(&reader{res.Body, alive}, maxListingBytes+1))
		if err != nil {
			return false, &awayError{host: c.shown, cause: bare(err)}
		}
		if n > maxListingBytes {
			return false, fmt.Errorf("the list of files takes more than %d bytes: %w", maxListingBytes, schemas.ErrRefused)
		}
		return false, nil
	})
	if err != nil {
		return "", nil, err
	}
	var l listing
	if err := json.Unmarshal(body.Bytes(), &l); err != nil || !commitPattern.MatchString(l.SHA) {
		return "", nil, &awayError{host: c.shown, cause: errors.New("it answers, but not as the Hub does: is HF_ENDPOINT right, or a login page in between?")}
	}
	if commitPattern.MatchString(c.repo.Revision) && l.SHA != c.repo.Revision {
		return "", nil, fmt.Errorf("%s answers with commit %s: %w", c.shown, l.SHA, schemas.ErrRefused)
	}
	files, err = l.choose()
	return l.SHA, files, err
}

// choose picks the files that make a model.
func (l *listing) choose() ([]file, error) {
	found := map[string]int{}
	for i, s := range l.Siblings {
		found[s.Name] = i
	}
	weights := torchFile
	if _, ok := found[tensorFile]; ok {
		weights = tensorFile
	}
	names := []string{configFile, vocabFile, weights}
	if _, ok := found[seenFile]; ok {
		names = slices.Insert(names, 0, seenFile) // first: a snapshot counts as whole without it
	}
	var files []file
	for _, name := range names {
		i, ok := found[name]
		if !ok {
			return nil, fmt.Errorf("commit %.12s has no %s: a model of this kind has %s, %s, and %s or %s: %w", l.SHA, name, configFile, vocabFile, tensorFile, torchFile, schemas.ErrRefused)
		}
		s := l.Siblings[i]
		f := file{name: name, size: -1, digest: s.BlobID}
		if s.Size != nil {
			f.size = *s.Size
		}
		ok = commitPattern.MatchString(f.digest)
		if s.LFS != nil {
			f.digest = s.LFS.SHA256
			ok = sha256Pattern.MatchString(f.digest)
			if s.LFS.Size != nil {
				f.size = *s.LFS.Size
			}
		}
		if !ok || f.size < 0 {
			return nil, fmt.Errorf("the list of files does not tell length and digest of %s, as the Hub's does: is HF_ENDPOINT right?: %w", name, schemas.ErrRefused)
		}
		limit := int64(maxSmallBytes)
		if name == weights {
			limit = maxTensorBytes
		}
		if f.size > limit {
			return nil, fmt.Errorf("%s is announced with %d bytes, and up to %d are taken: %w", name, f.size, limit, schemas.ErrRefused)
		}
		files = append(files, f)
	}
	return files, nil
}

// check says whether the file at path has the digest that the listing tells. It reads what is on disk, not what was sent.
func (f file) check(path string) (bool, error) {
	var h hash.Hash = sha256.New()
	if len(f.digest) == 2*sha1.Size {
		h = sha1.New()
		fmt.Fprintf(h, "blob %d\x00", f.size) // git's header
	}
	r, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer r.Close()
	if _, err := io.Copy(h, r); err != nil {
		return false, err
	}
	return hex.EncodeToString(h.Sum(nil)) == f.digest, nil
}
