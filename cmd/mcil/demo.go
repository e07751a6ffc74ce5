package main

import (
	"context"
)

type demoCmd struct {
	Out string `default:"mcil-demo"`
}

func (c *demoCmd) Run(ctx context.Context, e *env) error { return nil }

type inspectCmd struct {
	Path string `arg:""`
}

func (c *inspectCmd) Run(ctx context.Context, e *env) error { return nil }
