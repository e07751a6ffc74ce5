package main

import (
	"context"
	"fmt"
	"os"

	"github.com/mcil/mcil/caption/builtin"
)

type serveCmd struct {
	Addr string `default:"127.0.0.1:8089" help:"Address to listen on."`
}

func (c *serveCmd) Run(ctx context.Context, e *env) error {
	s, err := builtin.Listen(c.Addr, builtin.Options{APIKey: os.Getenv("MCIL_SERVE_KEY")})
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s\n", s.URL())
	failed := make(chan error, 1)
	go func() { failed <- s.Wait() }()
	select {
	case err := <-failed: // nobody closed it
		return fmt.Errorf("embedded endpoint: %w", err)
	case <-ctx.Done(): // the usual end of a server, so not an interrupted one
		return s.Close(context.WithoutCancel(ctx))
	}
}
