package hub

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mcil/mcil/schemas"
)

// maxRetryAfter is the longest wait that a server may ask for.
const maxRetryAfter = time.Minute

// client is one fetch.
type client struct {
	repo     Repo
	o        Options
	http     *http.Client
	endpoint *url.URL
	shown    string // the endpoint, without a password
	dir      string // the repository's folder in the cache
}

func newClient(r Repo, o Options) (*client, error) {
	if o.Cache == "" {
		return nil, errors.New("weights: no folder for the Hub's cache is named")
	}
	if _, err := Parse(Scheme + r.path() + "@" + r.Revision); err != nil {
		return nil, err
	}
	o.Endpoint = strings.TrimRight(cmp.Or(o.Endpoint, defaultEndpoint), "/")
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" || endpoint.RawQuery != "" || endpoint.Fragment != "" {
		return nil, fmt.Errorf("HF_ENDPOINT is not a URL such as %s: %w", defaultEndpoint, schemas.ErrRefused)
	}
	o.Attempts = cmp.Or(o.Attempts, 5)
	o.Backoff = cmp.Or(o.Backoff, time.Second/2)
	o.Stall = cmp.Or(o.Stall, 30*time.Second)
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	if o.symlink == nil {
		o.symlink = os.Symlink
	}
	if o.tryLock == nil {
		o.tryLock = tryLock
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	c := &client{repo: r, o: o, endpoint: endpoint, shown: endpoint.Redacted(), dir: filepath.Join(o.Cache, r.folder())}
	c.http = &http.Client{Transport: locations{transport}, CheckRedirect: c.redirect}
	return c, nil
}

// locations is a transport that refuses a redirection to what is no URL, for the client would show all of it.
type locations struct{ *http.Transport }

func (t locations) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.Transport.RoundTrip(req)
	if err != nil || res.StatusCode < 300 || res.StatusCode > 399 {
		return res, err
	}
	to := res.Header.Get("Location")
	if _, err := req.URL.Parse(to); err == nil {
		return res, nil
	}
	res.Body.Close()
	return nil, fmt.Errorf("it redirects to %.200q, which is no URL", hostAndPath(to))
}

// hostAndPath is what may be shown of an address that cannot be parsed: no signature and no password.
func hostAndPath(address string) string {
	if i := strings.IndexAny(address, "?#"); i >= 0 {
		address = address[:i]
	}
	return address[strings.LastIndexByte(address, '@')+1:]
}

// redirect keeps the token from other hosts, another port of the same one included.
func (c *client) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > 10 {
		return errors.New("it redirects more than 10 times")
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("it redirects from https to http")
	}
	req.Header.Del("Referer")
	if req.URL.Scheme != c.endpoint.Scheme || req.URL.Host != c.endpoint.Host {
		req.Header.Del("Authorization")
	}
	return nil
}

// get asks for what address has from offset on.
func (c *client) get(ctx context.Context, address string, offset int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "mcil")
	req.Header.Set("Accept-Encoding", "identity") // lengths are of the files
	if c.o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	res, err := c.http.Do(req)
	if err == nil {
		return res, nil
	}
	away := &awayError{host: c.shown, cause: bare(err)}
	var certificate *tls.CertificateVerificationError
	away.final = errors.As(err, &certificate)
	return nil, away
}

// bare is an error of the network without the address, which may be signed.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// awayError says that the Hub cannot be had now; what is in the cache may do instead.
type awayError struct {
	host  string
	cause error
	wait  time.Duration // that the server asked for
	final bool          // trying at once again is of no use
}

func (e *awayError) Error() string { return e.host + " cannot be reached: " + e.cause.Error() }
func (e *awayError) Unwrap() error { return e.cause }

// deniedError says that the Hub does not give this user what was asked for; what is in the cache may do instead.
type deniedError struct{ error }

func (e *deniedError) Unwrap() error { return e.error }

// statusError is what a status other than success means. Nothing of the answer's text is shown: it may say the token back.
func (c *client) statusError(res *http.Response) error {
	code := res.StatusCode
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%s answers %d: %s: %w", c.shown, code, fmt.Sprintf(format, args...), schemas.ErrRefused)
	}
	deny := func(format string, args ...any) error { return &deniedError{refuse(format, args...)} }
	page := c.shown + "/" + c.repo.path()
	elsewhere := res.Request.URL.Host != c.endpoint.Host
	switch {
	case code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500:
		away := &awayError{host: c.shown, cause: fmt.Errorf("it answers %d", code), wait: retryAfter(res.Header.Get("Retry-After"), time.Now())}
		if away.wait > maxRetryAfter {
			away.cause, away.final = fmt.Errorf("it answers %d and asks to come back in %s", code, away.wait.Round(time.Second)), true
		}
		return away
	case elsewhere: // a signed address that has run out, say
		return &awayError{host: c.shown, cause: fmt.Errorf("the host that it redirects to answers %d", code)}
	case code == http.StatusUnauthorized && c.o.Token != "":
		return deny("the token is not valid, or may not read %s: look at HF_TOKEN", page)
	case code == http.StatusUnauthorized:
		return deny("there is no public %s: look at the name, or set HF_TOKEN to a token that may read it if it is private or gated", page)
	case code == http.StatusForbidden:
		return deny("%s is gated or private: ask for access on its page, and set HF_TOKEN to a token of the account that has it", page)
	case code == http.StatusNotFound && res.Header.Get("X-Error-Code") == "RevisionNotFound":
		return refuse("%s has no revision %s", page, c.repo.Revision)
	case code == http.StatusNotFound && res.Header.Get("X-Error-Code") == "EntryNotFound":
		return refuse("%s has no such file", page)
	case code == http.StatusNotFound:
		return deny("there is no %s with revision %s: look at the name, or set HF_TOKEN if it is private", page, c.repo.Revision)
	}
	return refuse("not what the Hub does: is HF_ENDPOINT right?")
}

// retryAfter reads a header of seconds or of a date; 0 where there is none.
func retryAfter(v string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

var errStalled = errors.New("it sends nothing any more")

// retry calls try until it succeeds, fails for good, or has failed attempts times in a row without getting further. try gets
// a context that ends when alive was not called for o.Stall.
func (c *client) retry(ctx context.Context, attempts int, try func(ctx context.Context, alive func()) (further bool, err error)) error {
	for failures := 0; ; {
		inner, cancel := context.WithCancelCause(ctx)
		timer := time.AfterFunc(c.o.Stall, func() { cancel(errStalled) })
		further, err := try(inner, func() { timer.Reset(c.o.Stall) })
		stalled := context.Cause(inner) == errStalled && errors.Is(err, context.Canceled)
		timer.Stop()
		cancel(nil)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if stalled {
			err = &awayError{host: c.shown, cause: errStalled}
		}
		var away *awayError
		if further {
			failures = 0
		}
		failures++
		if !errors.As(err, &away) || away.final || failures >= attempts {
			return err
		}
		if away.wait > 2*time.Second {
			c.o.Notice(fmt.Sprintf("%s asks to wait %s", c.shown, away.wait.Round(time.Second)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(away.wait, min(c.o.Backoff<<(failures-1), 10*time.Second))):
		}
	}
}

// reader says with every read that the connection is alive.
type reader struct {
	r     io.Reader
	alive func()
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		r.alive()
	}
	return n, err
}
