// Package hub brings published weights from the Hugging Face Hub into the cache that other programs use too.
//
// # What is guaranteed
//
// [Fetch] returns a folder with config.json, vocab.txt, and model.safetensors or pytorch_model.bin of one commit, and with the
// mcil.json of weights that mcil made. A file that it downloaded has the length and the digest that the Hub's listing tells:
// SHA-256 of what lies in large-file storage, git's own digest of the rest. It appears under its name whole or not at all. A
// download that was cut off, by the network or by a kill, goes on where it was. Programs that fetch the same file at once wait
// for one another where the system has locks of files, and spoil nothing where it has none.
//
// # The cache
//
//	models--OWNER--NAME/blobs/DIGEST             a file
//	models--OWNER--NAME/blobs/DIGEST.incomplete  what there is of it
//	models--OWNER--NAME/snapshots/COMMIT/FILE    a relative link to it; a copy where links cannot be made
//	models--OWNER--NAME/refs/REVISION            the commit; written when the snapshot is whole
//	models--OWNER--NAME/.no_exist/COMMIT/FILE    empty: the commit has no such file
//	.locks/models--OWNER--NAME/DIGEST.lock
//
// It is huggingface_hub's, which reads what this package writes, and the other way round. What lies there with the right
// length is not downloaded again, whoever put it there. No name that a server sends becomes part of a path but a checked
// commit or digest. Temporary files lie where no program takes them for a ref; what killed programs left of them goes with a
// later download.
//
// # With and without network
//
// A branch or a tag is asked for anew each time, for it may have moved; where the Hub cannot be reached, must not be, or does
// not let one in, the commit that refs tells is taken if it is whole. A commit that is whole is not asked for, but for one
// thing: other programs leave mcil.json out, and with it the classes of pretraining, so the Hub is asked once whether there is
// one. Where nothing helps, the error says which files to bring and where to put them.
//
// The token goes to the endpoint alone, not to the hosts that it redirects to.
package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mcil/mcil/schemas"
)

// Scheme is how a specification of weights on the Hub begins.
const Scheme = "hf:"

// DefaultRevision is taken where a specification names none.
const DefaultRevision = "main"

// Names of the files that are fetched.
const (
	configFile = "config.json"
	vocabFile  = "vocab.txt"
	tensorFile = "model.safetensors"
	torchFile  = "pytorch_model.bin" // in place of tensorFile
	seenFile   = "mcil.json"         // classes of pretraining, where mcil made the weights
)

// Repo is a model repository at a revision.
type Repo struct {
	Owner, Name string
	Revision    string // branch, tag or commit
}

var (
	namePattern     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,94}$`)
	revisionPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}$`)
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sha256Pattern   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Parse reads hf:OWNER/NAME or hf:OWNER/NAME@REVISION.
func Parse(spec string) (Repo, error) {
	rest, ok := strings.CutPrefix(spec, Scheme)
	path, revision, named := strings.Cut(rest, "@")
	owner, name, two := strings.Cut(path, "/")
	if !named {
		revision = DefaultRevision
	}
	for _, part := range []string{owner, name} {
		ok = ok && namePattern.MatchString(part) && !strings.Contains(part, "..") && !strings.Contains(part, "--") && !strings.HasSuffix(part, ".") && !strings.HasSuffix(part, "-")
	}
	ok = ok && revisionPattern.MatchString(revision) && !strings.Contains(revision, "..") && !strings.HasSuffix(revision, "/")
	for part := range strings.SplitSeq(revision, "/") {
		ok = ok && part != "" && !strings.HasPrefix(part, ".") && !strings.HasSuffix(part, ".lock")
	}
	if !ok || !two {
		return Repo{}, fmt.Errorf("weights %q: not of the form hf:OWNER/NAME or hf:OWNER/NAME@REVISION, such as hf:dandelin/vilt-b32-mlm", spec)
	}
	return Repo{Owner: owner, Name: name, Revision: revision}, nil
}

func (r Repo) String() string {
	if r.Revision == DefaultRevision {
		return Scheme + r.path()
	}
	return Scheme + r.path() + "@" + r.Revision
}

func (r Repo) path() string { return r.Owner + "/" + r.Name }

// folder is the repository's name in the cache.
func (r Repo) folder() string { return "models--" + r.Owner + "--" + r.Name }

// Options say where from, where to and how patiently. Zero means the default.
type Options struct {
	Endpoint string // URL without a path's end; default https://huggingface.co
	Cache    string // folder that holds models--OWNER--NAME; required
	Token    string // sent to the endpoint; default none
	Offline  string // variable that forbids to ask, such as HF_HUB_OFFLINE; default: it is asked
	// Attempts is how often in a row a request may fail in a way that may pass; default 5. The list of files is asked
	// for 3 times at most, and once where the cache will do.
	Attempts int
	Backoff  time.Duration // before the second attempt, then doubled; default 0.5 s
	Stall    time.Duration // silence after which a connection counts as broken; default 30 s

	// Progress is told the bytes of a file that are there and that there will be; may be nil.
	Progress func(file string, done, total int64)
	// Notice is told in one line what a user may wonder about; may be nil.
	Notice func(line string)

	// A test's, for systems that lack links or locks.
	symlink func(target, name string) error
	tryLock func(f *os.File) (free bool, err error)
}

// Snapshot is what there is of a repository at one commit.
type Snapshot struct {
	Dir    string // folder with the files
	Commit string // 40 hexadecimal digits
}

// Fetch makes the files of a model be in the cache and returns their folder. An error that wraps [schemas.ErrRefused] will
// not pass by trying again.
func Fetch(ctx context.Context, r Repo, o Options) (Snapshot, error) {
	c, err := newClient(r, o)
	if err != nil {
		return Snapshot{}, err
	}
	defer c.http.CloseIdleConnections()
	s, err := c.fetch(ctx)
	if err != nil {
		return Snapshot{}, fmt.Errorf("weights %s: %w", r, err)
	}
	return s, nil
}

func (c *client) fetch(ctx context.Context) (Snapshot, error) {
	cached, found := c.cached()
	pinned := found && cached.Commit == c.repo.Revision
	unknown := ""
	if found && !c.knowsSeen(cached.Commit) {
		unknown = fmt.Sprintf("; it has no %s, so its classes of pretraining, if any, are unknown", seenFile)
	}
	if pinned && unknown == "" {
		return cached, nil
	}
	fromCache := func(why string) (Snapshot, error) {
		c.o.Notice(fmt.Sprintf("commit %.12s from the cache%s%s", cached.Commit, why, unknown))
		return cached, nil
	}
	if c.o.Offline != "" {
		if !found {
			return Snapshot{}, fmt.Errorf("not in the cache, and %s is set: %s: %w", c.o.Offline, c.whatToBring(), schemas.ErrRefused)
		}
		return fromCache(fmt.Sprintf(", not asked for: %s is set", c.o.Offline))
	}
	commit, files, err := c.list(ctx, found)
	var away *awayError
	var denied *deniedError
	switch {
	case err != nil && ctx.Err() == nil && found && (pinned || errors.As(err, &away) || errors.As(err, &denied)):
		return fromCache(": " + inLine(err))
	case err != nil:
		return Snapshot{}, c.explain(err)
	}
	if pinned { // all else is there, though it may be weights in the other format than the listing's first choice
		files = slices.DeleteFunc(files, func(f file) bool { return f.name != seenFile })
	}
	for _, f := range files {
		err := c.bring(ctx, commit, f)
		switch {
		case err != nil && errors.As(err, &denied) && found && cached.Commit != commit: // a gated one's listing is for all
			return fromCache(fmt.Sprintf(": %s of commit %.12s: %s", f.name, commit, inLine(err)))
		case err != nil:
			return Snapshot{}, fmt.Errorf("%s: %w", f.name, c.explain(err))
		}
	}
	if !slices.ContainsFunc(files, func(f file) bool { return f.name == seenFile }) {
		c.noteUnseen(commit)
	}
	c.writeRef(commit)
	c.sweep(commit)
	return Snapshot{Dir: c.snapshot(commit), Commit: commit}, nil
}

// inLine is an error as part of a notice.
func inLine(err error) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(err.Error()), " "), ": "+schemas.ErrRefused.Error())
}

// explain adds to an error of the network what to do without one.
func (c *client) explain(err error) error {
	var away *awayError
	if errors.As(err, &away) {
		return fmt.Errorf("%w: try again, or %s", err, c.whatToBring())
	}
	return err
}

func (c *client) whatToBring() string {
	return fmt.Sprintf("bring %s, %s and %s (or %s) from %s/%s/tree/%s into a folder and give --weights FOLDER, or copy the folder %s of a machine that has them to %s",
		configFile, vocabFile, torchFile, tensorFile, c.shown, c.repo.path(), c.repo.Revision, c.repo.folder(), c.dir)
}
