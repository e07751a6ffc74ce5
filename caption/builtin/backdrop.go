package builtin

import (
	"cmp"
	"math"
	"slices"
)

// Kinds of background.
type backdropKind int

const (
	plain     backdropKind = iota // one colour
	gradient                      // changes evenly across the picture
	patterned                     // two or three colours
	busy                          // many
)

// backdrop models the background from the picture's border.
type backdrop struct {
	kind    backdropKind
	plane   [3][3]float64 // per channel: a + b*x + c*y, of plain and gradient
	colours []colour      // of patterned and busy
	noise   float32       // typical distance of border cells from the model
	shade   colour        // to name it by
	span    float64       // change of luma across the picture
}

const (
	borderWidth   = 2  // cells
	borderNear    = 22 // distance within which a cell is of a background colour
	plainFraction = 0.62
	gradientSpan  = 26
)

func findBackdrop(g *grid) backdrop {
	border := g.border()
	b := fitPlane(g, border)
	near := 0
	var distances []float32
	for _, i := range border {
		d := b.distance(g, i)
		if d <= borderNear {
			near++
			distances = append(distances, d)
		}
	}
	if float64(near) >= plainFraction*float64(len(border)) {
		slices.Sort(distances)
		b.noise = distances[len(distances)*9/10]
		b.span = math.Hypot(b.plane[0][1]*float64(g.w), b.plane[0][2]*float64(g.h))
		if b.span > gradientSpan {
			b.kind = gradient
		}
		return b
	}
	return clusterBorder(g, border)
}

// border lists the cells of the frame.
func (g *grid) border() []int {
	var out []int
	for y := range g.h {
		for x := range g.w {
			if min(x, y, g.w-1-x, g.h-1-y) < borderWidth {
				out = append(out, y*g.w+x)
			}
		}
	}
	return out
}

// fitPlane fits a plane to each channel by least squares, twice more without the cells that lie far off.
func fitPlane(g *grid, border []int) backdrop {
	b := backdrop{kind: plain}
	mid := make([]float32, len(border))
	for c, values := range [3][]float32{g.y, g.cb, g.cr} {
		for k, i := range border {
			mid[k] = values[i]
		}
		slices.Sort(mid)
		b.plane[c][0] = float64(mid[len(mid)/2])
	}
	b.shade = b.expected(0, 0)
	inside := make([]int, 0, len(border))
	for _, reach := range []float32{60, 36, borderNear} {
		inside = inside[:0]
		for _, i := range border {
			if b.distance(g, i) <= reach {
				inside = append(inside, i)
			}
		}
		if len(inside) < len(border)/2 {
			break
		}
		b.solve(g, inside)
	}
	b.shade = b.expected(float64(g.w)/2, float64(g.h)/2)
	return b
}

// solve sets the planes by the normal equations over cells, whose coordinates are centred first.
func (b *backdrop) solve(g *grid, cells []int) {
	n := float64(len(cells))
	var mx, my float64
	for _, i := range cells {
		mx, my = mx+float64(i%g.w)/n, my+float64(i/g.w)/n
	}
	var xx, xy, yy float64
	for _, i := range cells {
		x, y := float64(i%g.w)-mx, float64(i/g.w)-my
		xx, xy, yy = xx+x*x, xy+x*y, yy+y*y
	}
	det := xx*yy - xy*xy
	for c, values := range [3][]float32{g.y, g.cb, g.cr} {
		var v, vx, vy float64
		for _, i := range cells {
			x, y, z := float64(i%g.w)-mx, float64(i/g.w)-my, float64(values[i])
			v, vx, vy = v+z/n, vx+x*z, vy+y*z
		}
		var bx, by float64
		if det > 1e-6*xx*yy && det > 0 {
			bx, by = (vx*yy-vy*xy)/det, (vy*xx-vx*xy)/det
		}
		b.plane[c] = [3]float64{v - bx*mx - by*my, bx, by}
	}
}

func (b *backdrop) expected(x, y float64) colour {
	var c colour
	for i, p := range b.plane {
		c[i] = float32(p[0] + p[1]*x + p[2]*y)
	}
	return c
}

// distance of cell i from the background.
func (b *backdrop) distance(g *grid, i int) float32 {
	c := g.at(i)
	if b.kind == plain || b.kind == gradient {
		return c.distance(b.expected(float64(i%g.w), float64(i/g.w)))
	}
	least := float32(math.MaxFloat32)
	for _, k := range b.colours {
		least = min(least, c.distance(k))
	}
	return least
}

// clusterBorder covers the border's colours greedily: the most frequent one, then the most frequent of what is left.
func clusterBorder(g *grid, border []int) backdrop {
	const most, reach = 4, 30
	b := backdrop{kind: busy}
	left := slices.Clone(border)
	for len(b.colours) < most && len(left) > len(border)/12 {
		bins := map[[3]int]int{}
		for _, i := range left {
			bins[binOf(g.at(i))]++
		}
		best := [3]int{-1}
		for k, n := range bins {
			if best[0] < 0 || n > bins[best] || n == bins[best] && slices.Compare(k[:], best[:]) < 0 {
				best = k
			}
		}
		var mean colour
		n := float32(0)
		for _, i := range left {
			if c := g.at(i); binOf(c) == best {
				n++
				for k := range mean {
					mean[k] += c[k]
				}
			}
		}
		for k := range mean {
			mean[k] /= n
		}
		b.colours = append(b.colours, mean)
		left = slices.DeleteFunc(left, func(i int) bool { return g.at(i).distance(mean) <= reach })
	}
	b.shade = b.colours[0]
	b.noise = reach / 2
	if len(b.colours) <= 3 && len(left) <= len(border)/8 {
		b.kind = patterned
	}
	return b
}

func binOf(c colour) [3]int { return [3]int{int(c[0]) / 24, int(c[1]) / 16, int(c[2]) / 16} }

// otsu is the threshold that best parts values in [0,256) in two (Otsu 1979, equation 18).
func otsu(values []float32) float32 {
	var hist [256]float64
	total, sum := 0.0, 0.0
	for _, v := range values {
		k := min(255, max(0, int(v)))
		hist[k]++
		total++
		sum += float64(k)
	}
	best, at, below, belowSum := -1.0, 0, 0.0, 0.0
	for k, n := range hist {
		below, belowSum = below+n, belowSum+n*float64(k)
		if below == 0 || below == total {
			continue
		}
		d := belowSum/below - (sum-belowSum)/(total-below)
		if between := below * (total - below) * d * d; cmp.Compare(between, best) > 0 {
			best, at = between, k
		}
	}
	return float32(at)
}
