package main

import "context"

type inspectCmd struct {
	Path string `arg:""`
}

func (c *inspectCmd) Run(ctx context.Context, e *env) error { return nil }
