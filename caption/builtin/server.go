// Package builtin is the embedded caption endpoint: a real HTTP server with OpenAI's chat-completions API that describes a
// picture by measuring its pixels.
//
// # What it is not
//
// There is no language model in it and no vision model. It says how many regions a picture has and what their outlines,
// colours, textures and places are; it never says what they show. It stands in for InstructBLIP where there is none: to try
// the whole program in minutes and to test it without a network.
//
// # What it is told
//
// The pixels. The prompt is read, counted and otherwise ignored.
//
// # Promises
//
// The same picture gets the same text on every machine of one architecture, from this version of the package; [Model] names
// the version. The wording is free to change with it.
package builtin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Model is the name under which the endpoint serves its descriptions. The number goes up when texts change.
const Model = "mcil-builtin-1"

// Options of the endpoint.
type Options struct {
	APIKey           string // bearer token that requests must carry; empty: none
	MaxRequestBytes  int64  // default 32 MiB
	MaxPicturePixels int    // default 32 million
	MaxConcurrent    int    // pictures measured at a time, the others wait; default 64
}

func (o Options) withDefaults() Options {
	o.MaxRequestBytes = cmp.Or(o.MaxRequestBytes, 32<<20)
	o.MaxPicturePixels = cmp.Or(o.MaxPicturePixels, 32_000_000)
	o.MaxConcurrent = cmp.Or(o.MaxConcurrent, 64)
	return o
}

// Server is a running endpoint.
type Server struct {
	http     *http.Server
	listener net.Listener
	done     chan struct{} // closed when err is set
	err      error
}

// Listen starts an endpoint on addr, such as 127.0.0.1:8089, or 127.0.0.1:0 for any free port.
func Listen(addr string, o Options) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("embedded endpoint: %w: choose another address", err)
	}
	s := &Server{
		listener: l,
		done:     make(chan struct{}),
		http: &http.Server{
			Handler:           Handler(o),
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       2 * time.Minute,
			WriteTimeout:      2 * time.Minute,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
		},
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = err
		}
	}()
	return s, nil
}

// URL is the base URL for clients, such as http://127.0.0.1:8089/v1.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/v1" }

// Close stops listening, and waits for the requests on the way until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	return errors.Join(err, s.Wait())
}

// Wait blocks until the server stops, and says why where it was not closed.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}

// Handler is the endpoint without a listener.
func Handler(o Options) http.Handler {
	h := &handler{Options: o.withDefaults()}
	h.slots = make(chan struct{}, h.MaxConcurrent)
	mux := http.NewServeMux()
	mux.Handle("POST /v1/chat/completions", h.guard(h.complete))
	mux.Handle("GET /v1/models", h.guard(h.models))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /{$}", page)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fault{http.StatusNotFound, "not_found", "no route " + r.Method + " " + r.URL.Path + ": see GET /"}.write(w)
	})
	return mux
}
