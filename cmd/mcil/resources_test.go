package main

import (
	"runtime"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/mcil/mcil/train"
)

// What the machine gives is taken as the flags say, for the time of the verb.
func TestResourceFlags(t *testing.T) {
	parse := func(args string) *cli {
		t.Helper()
		var c cli
		parser, err := kong.New(&c, kongVars(""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		return &c
	}
	e, cores := &env{}, runtime.GOMAXPROCS(0)
	plain := parse("train --data d --out r").Train.options(e, "")
	if library := (train.Options{}).WithDefaults(); plain.CacheBytes != library.CacheBytes || plain.Pictures != (train.PictureCache{}) || plain.Schedule.Workers != cores {
		t.Errorf("without flags: %d bytes of memory, %+v, %d workers", plain.CacheBytes, plain.Pictures, plain.Schedule.Workers)
	}
	c := parse("train --data d --out r --threads 7 --cache-memory 1kB --cache-dir c --cache-size 2MiB").Train
	if o := c.options(e, ""); o.CacheBytes != 1000 || o.Pictures != (train.PictureCache{Dir: "c", Bytes: 2 << 20}) || o.Schedule.Workers != 7 {
		t.Errorf("with flags: %d bytes of memory, %+v, %d workers", o.CacheBytes, o.Pictures, o.Schedule.Workers)
	}
	restore := c.use()
	if n := runtime.GOMAXPROCS(0); n != 7 {
		t.Errorf("%d threads, want 7", n)
	}
	restore()
	if n := runtime.GOMAXPROCS(0); n != cores {
		t.Errorf("%d threads afterwards, want %d", n, cores)
	}
	if o := parse("pretrain --data d --out w --threads 2 --workers 5 --cache-dir c").Pretrain.options(e); o.Schedule.Workers != 5 || o.Pictures.Dir != "c" {
		t.Errorf("pretrain: %d workers, %+v", o.Schedule.Workers, o.Pictures)
	}
	if o := parse("embed --data d --weights w --out f.npy --threads 3").Embed.options(e); o.Workers != 3 {
		t.Errorf("embed: %d workers", o.Workers)
	}
}
