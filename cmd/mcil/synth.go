package main

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"

	"github.com/mcil/mcil/dataset/synth"
	"github.com/mcil/mcil/schemas"
)

type synthCmd struct {
	Out      string `required:"" placeholder:"DIR" help:"Folder of class folders to make."`
	Classes  int    `default:"20" help:"Number of classes."`
	PerClass int    `default:"60" help:"Pictures a class."`
	Seed     uint64 `default:"1" help:"Of all that is random; the same seed draws the same bytes."`
	Sheet    string `placeholder:"FILE.png" help:"Also draw a contact sheet of the classes and renditions."`
}

func (c *synthCmd) Validate() error {
	switch most := len(synth.Catalogue()); {
	case c.Classes < 1 || c.Classes > most:
		return fmt.Errorf("--classes=%d: choose 1 to %d", c.Classes, most)
	case c.PerClass < 1:
		return fmt.Errorf("--per-class=%d: choose 1 or more", c.PerClass)
	case c.Seed == 0:
		return errors.New("--seed=0: choose 1 or more")
	}
	return nil
}

func (c *synthCmd) Run(ctx context.Context, e *env) error {
	err := synth.Write(ctx, c.Out, synth.Options{
		Classes: c.Classes, PerClass: c.PerClass, Seed: c.Seed, Progress: e.progress.counter("synth"),
	})
	if err != nil || c.Sheet == "" {
		return err
	}
	sheet := synth.ContactSheet(synth.Catalogue()[:c.Classes], synth.Renditions(), c.Seed, 96)
	return schemas.WriteFile(c.Sheet, func(w io.Writer) error { return png.Encode(w, sheet) })
}
