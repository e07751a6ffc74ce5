package openai

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// wire is a request's body as sent: head, the picture in base64, tail. The base64 is made while it is read, straight into
// the connection's buffer or the hash: a call holds the picture and no copy of it.
type wire struct {
	head, image, tail []byte
	table             *base64Table
}

func (w wire) size() int64 {
	return int64(len(w.head) + base64.StdEncoding.EncodedLen(len(w.image)) + len(w.tail))
}

// fingerprint is the hexadecimal SHA-256 of the bytes that [wire.reader] gives, and of the model's revision where known.
func (w wire) fingerprint(revision string) string {
	h := sha256.New()
	r := w.reader()
	const groups = 4096 // 12 KiB of picture at a time
	buffer := make([]byte, min(4*groups, int(w.size())))
	for {
		n, err := r.Read(buffer)
		h.Write(buffer[:n])
		if err != nil { // io.EOF: there is no other
			break
		}
	}
	if revision != "" {
		io.WriteString(h, "\n"+revision)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (w wire) reader() *wireReader { return &wireReader{wire: w} }

// wireReader reads a wire once.
type wireReader struct {
	wire
	group [4]byte // of base64, where the reader's buffer is too small for one
	left  []byte  // of group
}

// Read implements [io.Reader].
func (r *wireReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		rest := p[n:]
		switch {
		case len(r.head) > 0:
			k := copy(rest, r.head)
			r.head, n = r.head[k:], n+k
		case len(r.left) > 0:
			k := copy(rest, r.left)
			r.left, n = r.left[k:], n+k
		case len(r.image) > 0 && len(rest) < len(r.group):
			k := min(3, len(r.image))
			r.table.encode(r.group[:], r.image[:k])
			r.left, r.image = r.group[:], r.image[k:]
		case len(r.image) > 0:
			k := min(len(rest)/4*3, len(r.image))
			r.table.encode(rest, r.image[:k])
			r.image, n = r.image[k:], n+base64.StdEncoding.EncodedLen(k)
		case len(r.tail) > 0:
			k := copy(rest, r.tail)
			r.tail, n = r.tail[k:], n+k
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
	return n, nil
}

// Close implements [io.Closer].
func (*wireReader) Close() error { return nil }

// newWire sets the parameters in go-openai's body and cuts it where the picture goes. Go writes a map's keys sorted, so
// the result is canonical. No text can be taken for the picture's place: in a JSON string the quotes would be escaped.
func (x *exchange) newWire(body []byte) (wire, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &fields); err != nil {
		return wire{}, fmt.Errorf("request body: %w", err)
	}
	for k, v := range x.extra {
		b, err := json.Marshal(v)
		if err != nil {
			return wire{}, fmt.Errorf("parameter %s: %w", k, err)
		}
		fields[k] = b
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return wire{}, err
	}
	url, err := json.Marshal(x.url)
	if err != nil {
		return wire{}, err
	}
	place := append([]byte(`"url":`), url...)
	at := bytes.Index(b, place)
	if at < 0 {
		return wire{}, errors.New("request body: has no place for the picture")
	}
	cut := at + len(place) - 1 // before the closing quote
	return wire{head: b[:cut:cut], image: x.image, tail: b[cut:], table: x.table}, nil
}
