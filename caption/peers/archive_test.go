//go:build bench

package peers_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Kinds of drawn pictures.
const (
	photographs = "photographs" // of 75 kB in the mean, as ImageNet-R's are, 400 to 751 pixels wide, so that each one is resized
	thumbnails  = "thumbnails"  // of 9 kB; they are not resized
	specks      = "specks"      // of 627 bytes: two blocks of a tar
)

// archive makes an archive of so many pictures and returns its size. It is written by a process of its own: the peak memory
// of a process counts as that of every one that it starts.
func archive(t *testing.T, name, kind string, pictures int) (bytes int64) {
	t.Helper()
	cmd := helper(t, "archive", "MCIL_PEERS_TAR="+name, "MCIL_PEERS_KIND="+kind, "MCIL_PEERS_PICTURES="+strconv.Itoa(pictures))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// drawn are the pictures that an archive of a kind repeats.
func drawn(t *testing.T, kind string) [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var all [][]byte
	for i := range 40 {
		switch kind {
		case photographs:
			w := 400 + 9*i
			all = append(all, noise(t, rng, w, w*3/4))
		case thumbnails:
			all = append(all, noise(t, rng, 160+i, 140))
		case specks:
			all = append(all, noise(t, rng, 4, 4))
		default:
			t.Fatalf("no kind %q", kind)
		}
	}
	return all
}

// noise is a JPEG of random colours, each four pixels wide and blended into the next, so that it is as large as a photograph
// of its size.
func noise(t *testing.T, rng *rand.Rand, w, h int) []byte {
	t.Helper()
	const grain = 4
	columns := w/grain + 2
	coarse := make([]uint8, 3*columns*(h/grain+2))
	for i := range coarse {
		coarse[i] = uint8(rng.Uint32())
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			var c [3]uint8
			for k := range c {
				at := func(dx, dy int) int { return int(coarse[3*((y/grain+dy)*columns+x/grain+dx)+k]) }
				fx, fy := x%grain, y%grain
				c[k] = uint8(((at(0, 0)*(grain-fx)+at(1, 0)*fx)*(grain-fy) + (at(0, 1)*(grain-fx)+at(1, 1)*fx)*fy) / (grain * grain))
			}
			img.SetRGBA(x, y, color.RGBA{c[0], c[1], c[2], 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 75}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// writeArchive writes an archive of so many pictures in ImageNet-R's layout, in 200 classes. Bodies repeat, but each has a
// comment of its own, so that no picture is another's twin.
func writeArchive(t *testing.T, name, kind string, pictures int) {
	bodies := drawn(t, kind)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buffered := bufio.NewWriterSize(f, 1<<20)
	w := tar.NewWriter(buffered)
	classes := min(200, pictures)
	for i := range pictures {
		comment := fmt.Sprintf("picture %d", i)
		body := binary.BigEndian.AppendUint16([]byte{0xFF, 0xD8, 0xFF, 0xFE}, uint16(2+len(comment)))
		body = append(append(body, comment...), bodies[i%len(bodies)][2:]...)
		name := fmt.Sprintf("imagenet-r/n%08d/sketch_%d.jpg", 1_000_000+i*classes/pictures, i)
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{w.Close(), buffered.Flush(), f.Sync()} {
		if err != nil {
			t.Fatal(err)
		}
	}
}
