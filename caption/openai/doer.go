package openai

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
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
				WriteBufferSize:        32 << 10, // a request is tens of kilobytes
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
	if b, err = x.wireBody(b); err != nil {
		return err
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	req.Body, _ = req.GetBody()
	req.ContentLength = int64(len(b))
	return nil
}

// wireBody sets the parameters in the JSON object body and fills in the picture. Go writes a map's keys sorted, so the
// result is canonical. No text can be taken for the picture's place: in a JSON string the quotes would be escaped.
func (x *exchange) wireBody(body []byte) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("request body: %w", err)
	}
	for k, v := range x.extra {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", k, err)
		}
		fields[k] = b
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	url, err := json.Marshal(x.url)
	if err != nil {
		return nil, err
	}
	before, after, ok := bytes.Cut(b, append([]byte(`"url":`), url...))
	if !ok {
		return nil, errors.New("request body: has no place for the picture")
	}
	out := make([]byte, 0, len(b)+base64.StdEncoding.EncodedLen(len(x.image)))
	out = append(append(append(out, before...), `"url":`...), url[:len(url)-1]...)
	out = base64.StdEncoding.AppendEncode(out, x.image)
	return append(append(out, '"'), after...), nil
}

// isTimeout says whether err is the end of somebody's patience.
func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}
