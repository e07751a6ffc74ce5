package openai

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// exchange travels with a call's context: what to add to the request, and what came back.
type exchange struct {
	extra map[string]any // nil: the request goes out as it is
	url   string         // of the picture as go-openai knows it: a data URL without data
	image []byte         // the data

	table  *base64Table
	secret *secret // not to be repeated

	status int // 0: no answer
	header http.Header
	body   []byte // as far as it came
}

type exchangeKey struct{}

// doer is the HTTP below go-openai.
type doer struct {
	http     *http.Client
	maxBytes int64
}

func newDoer(o Options) *doer {
	idle := cmp.Or(o.Connections, 64)
	return &doer{
		maxBytes: cmp.Or(o.MaxAnswerBytes, 1<<20),
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
				TLSHandshakeTimeout:    10 * time.Second,
				ForceAttemptHTTP2:      true,
				MaxIdleConns:           idle,
				MaxIdleConnsPerHost:    idle, // net/http's 2 would open a connection for nearly every request
				IdleConnTimeout:        90 * time.Second,
				MaxResponseHeaderBytes: 64 << 10,
				WriteBufferSize:        128 << 10, // holds most requests: base64 is made straight into it, and goes out in one piece
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

var (
	errRedirect = errors.New("the endpoint redirects: give the URL that it points to")
	errTooLarge = errors.New("the answer is too large")
	errCutOff   = errors.New("the answer was cut off")
)

// Do implements go-openai's HTTPDoer. The whole answer is read here, so that the client above sees it whole or fails.
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	x, _ := req.Context().Value(exchangeKey{}).(*exchange)
	if x == nil {
		x = &exchange{}
	}
	if req.Body != nil && x.extra != nil {
		if err := x.complete(req); err != nil {
			return nil, err
		}
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	x.status, x.header = resp.StatusCode, resp.Header
	body, err := io.ReadAll(io.LimitReader(resp.Body, d.maxBytes+1))
	x.body = body
	switch {
	case resp.StatusCode/100 == 3:
		return nil, fmt.Errorf("%w: %s", errRedirect, locationOf(resp))
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errCutOff, err)
	case int64(len(body)) > d.maxBytes:
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, d.maxBytes)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// locationOf is where a redirect points, without what may be secret in it.
func locationOf(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil {
		return resp.Status
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// complete puts what go-openai cannot hold into a request's body.
func (x *exchange) complete(req *http.Request) error {
	b, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return err
	}
	w, err := x.newWire(b)
	if err != nil {
		return err
	}
	req.GetBody = func() (io.ReadCloser, error) { return w.reader(), nil } // for a connection that was closed before the request was written
	req.Body = w.reader()
	req.ContentLength = w.size()
	return nil
}

// isTimeout says whether err is the end of somebody's patience.
func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}
