package synth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/mcil/mcil/dataset/picture"
)

// Options say what Write draws. The zero value is the default set: 20 classes of 60 pictures.
type Options struct {
	Classes  int    // number of classes, the first of Catalogue; 0 means 20
	PerClass int    // pictures a class; 0 means 60
	Seed     uint64 // of everything random; 0 means 1
	Workers  int    // pictures drawn at a time; 0 means GOMAXPROCS. The bytes do not depend on it
	// Progress, if not nil, is called after every picture, never by two goroutines at a time.
	Progress func(done, total int)
}

func (o Options) withDefaults() Options {
	if o.Classes == 0 {
		o.Classes = 20
	}
	if o.PerClass == 0 {
		o.PerClass = 60
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return o
}

func (o Options) validate() error {
	if n := len(Catalogue()); o.Classes < 1 || o.Classes > n {
		return fmt.Errorf("synth: %d classes asked for: choose 1 to %d", o.Classes, n)
	}
	if o.PerClass < 1 {
		return fmt.Errorf("synth: %d pictures a class asked for: choose 1 or more", o.PerClass)
	}
	return nil
}

// job is one picture to write.
type job struct {
	class     Class
	rendition string
	n         int
}

// Write draws the data set of o into the folder dir, which it makes if need be. A folder that holds the same data set,
// whole or in part, is completed: pictures that are there with the right bytes are not touched. Any other folder that
// is not empty is refused.
func Write(ctx context.Context, dir string, o Options) error {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return err
	}
	classes := Catalogue()[:o.Classes]
	if err := claim(dir, readme(classes, o)); err != nil {
		return err
	}
	for _, c := range classes {
		if err := os.MkdirAll(filepath.Join(dir, c.WNID), 0o755); err != nil {
			return fmt.Errorf("synth: make folder of class %s: %w", c.Name, err)
		}
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	jobs := make(chan job)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done, total := 0, o.Classes*o.PerClass
	for range min(o.Workers, total) {
		wg.Go(func() {
			for j := range jobs {
				if err := j.write(dir, o.Seed); err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				done++
				if o.Progress != nil {
					o.Progress(done, total)
				}
				mu.Unlock()
			}
		})
	}
	renditions := Renditions()
feed:
	for _, c := range classes {
		for k := range o.PerClass {
			select {
			case jobs <- job{c, renditions[k%len(renditions)], k / len(renditions)}:
			case <-ctx.Done():
				break feed
			}
		}
	}
	close(jobs)
	wg.Wait()
	if err := context.Cause(ctx); err != nil && done < total {
		return fmt.Errorf("synth: stopped after %d of %d pictures; run again to go on: %w", done, total, err)
	}
	return nil
}

// ErrFolder is what Write wraps where the folder holds something else.
var ErrFolder = errors.New("the folder is taken")

// claim makes sure that dir is ours to fill: it holds the same README.txt, or nothing.
func claim(dir string, text []byte) error {
	name := filepath.Join(dir, "README.txt")
	switch old, err := os.ReadFile(name); {
	case err == nil && bytes.Equal(old, text):
		return nil
	case err == nil:
		return fmt.Errorf("synth: %s describes another data set (other seed, classes or pictures a class): choose an empty folder: %w", name, ErrFolder)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("synth: read %s: %w", name, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("synth: make folder %s: %w", dir, err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("synth: list %s: %w", dir, err)
	}
	// a run that was killed at once leaves nothing but its temporary README
	if i := slices.IndexFunc(list, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), tempPrefix) }); i >= 0 {
		return fmt.Errorf("synth: folder %s is not empty (it has %s) and has no README.txt of ours: choose an empty folder: %w", dir, list[i].Name(), ErrFolder)
	}
	if err := replace(name, text, true); err != nil {
		return fmt.Errorf("synth: write %s: %w", name, err)
	}
	return nil
}

// readme is the class list in ImageNet-R's form: prose, a blank line, lines "wnid name" sorted by wnid.
func readme(classes []Class, o Options) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `Drawn pictures in the folder layout of ImageNet-R
=================================================

These pictures were drawn by the program mcil (mcil synth). They are not ImageNet-R and were
not made from it: they are a stand-in with the same layout, class names and rendition names,
for trying a pipeline where the real 30,000 pictures are not at hand. Results on them say
nothing about ImageNet-R.

generator: %s
seed: %d
classes: %d
pictures per class: %d
renditions: %s

`, generator, o.Seed, o.Classes, o.PerClass, strings.Join(Renditions(), ", "))
	sorted := slices.SortedFunc(slices.Values(classes), func(a, b Class) int { return strings.Compare(a.WNID, b.WNID) })
	for _, c := range sorted {
		fmt.Fprintf(&b, "%s %s\n", c.WNID, c.Name)
	}
	return b.Bytes()
}

// generator changes when the same seed no longer gives the same bytes.
const generator = "mcil synth 1"

// write draws the picture and puts it in place, unless it is there already.
func (j job) write(dir string, seed uint64) error {
	id := fmt.Sprintf("%s/%s_%d.jpg", j.class.WNID, j.rendition, j.n)
	data, err := j.encoded(seed)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, filepath.FromSlash(id))
	// No fsync: pictures are compared with what they should be on every run, so a torn one is drawn again.
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := replace(name, data, false); err != nil {
		return fmt.Errorf("synth: picture %s: %w", id, err)
	}
	return nil
}

const tempPrefix = ".tmp-"

// replace writes a file under a temporary name beside it and renames it, after a flush to the disk if durable. The
// temporary name is fixed, so that a killed run leaves nothing that the next does not clear away.
func replace(name string, data []byte, durable bool) error {
	tmp := filepath.Join(filepath.Dir(name), tempPrefix+filepath.Base(name))
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		os.Remove(tmp) // of use on a full disk; the first error is the one to report
	}
	return err
}

// encoded is the picture as a JPEG file. Kind and quality vary as they do in the wild: of 20 pictures about 9 are
// 4:2:0, 6 are 4:4:4, 2 progressive and 3 grey.
func (j job) encoded(seed uint64) ([]byte, error) {
	s := pictureSeed(seed, j.class.WNID, j.rendition, j.n)
	img, err := Draw(j.class, j.rendition, s)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(s, 0x6a706567))
	quality := 60 + r.IntN(36)
	switch k := r.IntN(20); {
	case k < 6:
		return picture.EncodeJPEG(img, quality, false), nil
	case k < 8:
		return picture.EncodeJPEG(img, quality, true), nil
	case k < 11:
		return encodeStd(grey(img), quality)
	}
	return encodeStd(ycc(img), quality)
}

func encodeStd(img image.Image, quality int) ([]byte, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("synth: encode JPEG: %w", err)
	}
	return b.Bytes(), nil
}

func grey(img *image.NRGBA) *image.Gray {
	out := image.NewGray(img.Rect)
	for i := range out.Pix {
		q := img.Pix[4*i : 4*i+3 : 4*i+3]
		out.Pix[i] = clip(rgb{q[0], q[1], q[2]}.luma())
	}
	return out
}

// ycc converts by hand: image/jpeg has a fast path for YCbCr and a slow one for NRGBA.
func ycc(img *image.NRGBA) *image.YCbCr {
	out := image.NewYCbCr(img.Rect, image.YCbCrSubsampleRatio444)
	for i := range out.Y {
		q := img.Pix[4*i : 4*i+3 : 4*i+3]
		out.Y[i], out.Cb[i], out.Cr[i] = color.RGBToYCbCr(q[0], q[1], q[2])
	}
	return out
}
