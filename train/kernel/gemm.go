package kernel

import "runtime"

// Blocking in the manner of Goto & van de Geijn 2008. B is packed once, whole
// if it fits packedBLimit, into panels one register tile wide; each task then
// takes a block of rows of A, copies it beside its cache lines, and runs it
// against the panels it owns.
const (
	kBlock       = 768     // K taken at a time: a row block of A stays in the second cache
	rowTiles     = 8       // register tiles in a row block
	packedBLimit = 5 << 18 // elements of B packed at a time (5 MiB), to lie in the third cache
	serialWork   = 1 << 18 // multiply-adds below which one goroutine does it all
	unpackedRows = 224     // rows of A up to which packing B costs more than it saves
)

// tile returns the rows and columns of C that p holds in registers.
func (p cpuPath) tile() (mr, nr int) {
	switch p {
	case avx512:
		return 14, 32
	case avx2:
		return 6, 16
	}
	return 2, 4
}

// gemm computes dst = a b, or dst += a b with acc, or dst = a b + bias with a
// bias, which then stands in for what dst held. Whatever the blocking, each element
// is one chain c, c+a0b0, (c+a0b0)+a1b1, ... over k in order, so its bytes depend
// on its row of a, its column of b and the CPU path alone. With serial everything
// runs on the caller's goroutine.
func gemm(dst Matrix, a, b view, bias []float32, acc, serial bool) {
	gemmThen(dst, a, b, bias, acc, serial, finish{})
}

// gemmThen is gemm with a finish for the rows of dst.
func gemmThen(dst Matrix, a, b view, bias []float32, acc, serial bool, then finish) {
	m, n, k := dst.Rows, dst.Cols, a.cols
	if m == 0 || n == 0 {
		return
	}
	if !serial && m*n*k > serialWork && libraryProduct(dst, a, b, bias, acc, then) {
		return
	}
	g := calls.take()
	*g = call{path: currentPath(), procs: 1, dst: dst, a: a, b: b, bias: bias, acc: acc || bias != nil, then: then}
	if k == 0 {
		fillRows(dst, bias, acc)
		g.then.rows(g.path, dst, 0, 0)
		return
	}
	g.mr, g.nr = g.path.tile()
	if !serial && m*n*k > serialWork {
		g.procs = runtime.GOMAXPROCS(0)
	}
	g.run()
	*g = call{}
	calls.leave(g)
}

// fillRows is the product without terms.
func fillRows(dst Matrix, bias []float32, acc bool) {
	for i := range dst.Rows {
		switch {
		case bias != nil:
			copy(dst.row(i), bias)
		case !acc:
			clear(dst.row(i))
		}
	}
}

// call is one call of gemm. It is pooled, as the goroutines it may start make it
// escape even where it starts none.
type call struct {
	path   cpuPath
	mr, nr int
	procs  int
	dst    Matrix
	a, b   view
	bias   []float32
	acc    bool
	then   finish

	packA  bool
	packed []float32 // columns [j0, j0+nc) of b in panels of K x nr; nil when b is read where it lies
	j0, nc int

	tiles, blocks  int // register tiles down dst; blocks of rows that they are split into
	panels, groups int // panels across the columns at hand; groups that they are split into
}

var (
	calls       spares[call]
	sharedCalls sharing[*call]
)

func (g *call) run() {
	m, n, k := g.dst.Rows, g.dst.Cols, g.a.cols
	packB := g.b.cs != 1 || m > unpackedRows || (g.path != avx512 && n%g.nr != 0)
	g.packA = n > 4*g.nr && k > 64 && (g.a.cs != 1 || crowded(g.a.rs))
	g.nc = n
	if !packB {
		g.tasks()
		return
	}
	panels := (n + g.nr - 1) / g.nr
	times := (panels + max(packedBLimit/k/g.nr, 1) - 1) / max(packedBLimit/k/g.nr, 1)
	g.nc = min(n, (panels+times-1)/times*g.nr)
	buf := borrow((g.nc + g.nr - 1) / g.nr * g.nr * k)
	g.packed = buf.data
	for g.j0 = 0; g.j0 < n; g.j0 += g.nc {
		g.nc = min(g.nc, n-g.j0)
		panels := (g.nc + g.nr - 1) / g.nr
		if g.procs == 1 {
			g.packPanels(0, panels)
		} else {
			sharedCalls.parallel(panels, max(1, elementGrain/(k*g.nr)), g, (*call).packPanels)
		}
		g.tasks()
	}
	buf.giveBack()
}

func (g *call) packPanels(lo, hi int) {
	k := g.b.rows
	for p := lo; p < hi; p++ {
		j := g.j0 + p*g.nr
		packPanel(g.path, g.packed[p*k*g.nr:][:k*g.nr], g.b, j, min(g.nr, g.j0+g.nc-j), g.nr)
	}
}

// tasks splits the columns at hand into tasks of row blocks by groups of panels, as
// equal as tiles allow: where two cores share 13 blocks and a rest, one waits.
func (g *call) tasks() {
	g.panels = (g.nc + g.nr - 1) / g.nr
	g.tiles = (g.dst.Rows + g.mr - 1) / g.mr
	g.blocks, g.groups = (g.tiles+rowTiles-1)/rowTiles, 1
	if g.procs > 1 {
		// About four tasks a core even out what other work the cores have.
		want := 4 * g.procs
		g.blocks = min(max(g.blocks, want), g.tiles)
		if g.blocks < want {
			g.groups = min((want+g.blocks-1)/g.blocks, g.panels)
		} else if up := (g.blocks + g.procs - 1) / g.procs * g.procs; up <= g.tiles {
			g.blocks = up
		}
	}
	n := g.blocks * g.groups
	if g.procs == 1 {
		g.runTasks(0, n)
		return
	}
	sharedCalls.parallel(n, 1, g, (*call).runTasks)
}

func (g *call) runTasks(lo, hi int) {
	rows, cols := (g.tiles+g.blocks-1)/g.blocks*g.mr, (g.panels+g.groups-1)/g.groups*g.nr
	var buf, own *scratch
	if g.packA {
		buf = borrow(rows * (kBlock + 16))
	}
	if g.then.apart {
		own = borrow(rows * cols)
	}
	for t := lo; t < hi; t++ {
		block, group := t/g.groups, t%g.groups
		i, end := block*g.tiles/g.blocks*g.mr, min((block+1)*g.tiles/g.blocks*g.mr, g.dst.Rows)
		p, np := group*g.panels/g.groups, (group+1)*g.panels/g.groups
		np -= p
		j := g.j0 + p*g.nr
		dst := g.dst.part(i, j, end-i, min(np*g.nr, g.j0+g.nc-j))
		if own != nil {
			dst.Stride, dst.Data = dst.Cols, own.data
		}
		g.block(dst, buf, i, p, np)
	}
	if buf != nil {
		buf.giveBack()
	}
	if own != nil {
		own.giveBack()
	}
}

// block computes dst, the rows from i on of the panels [p, p+np).
func (g *call) block(dst Matrix, buf *scratch, i, p, np int) {
	k, mc := g.a.cols, dst.Rows
	j := g.j0 + p*g.nr
	if g.bias != nil && g.path != avx512 {
		for r := range mc {
			copy(dst.row(r), g.bias[j:])
		}
	}
	for k0 := 0; k0 < k; k0 += kBlock {
		kc := min(kBlock, k-k0)
		a, ars, acs := g.a.data[i*g.a.rs+k0*g.a.cs:], g.a.rs, g.a.cs
		if g.packA {
			a, ars, acs = packRows(buf.data, g.a, i, mc, k0, kc)
		}
		from := 0 // columns of dst before it are finished
		for q := range np {
			c := q * g.nr
			w := min(g.nr, dst.Cols-c)
			b, bs := g.packed, g.nr
			if b != nil {
				b = b[(p+q)*k*g.nr+k0*g.nr:]
			} else {
				b, bs = g.b.data[k0*g.b.rs+j+c:], g.b.rs
			}
			var bias []float32
			if k0 == 0 && g.bias != nil && g.path == avx512 {
				bias = g.bias[j+c:]
			}
			g.path.panel(dst.Data[c:], dst.Stride, a, ars, acs, b, bs, kc, mc, w, bias, g.acc || k0 > 0)
			if g.then.any && k0+kc == k && (c+w-from >= finishCols || q == np-1) {
				g.then.rows(g.path, dst.part(0, from, mc, c+w-from), i, j+from)
				from = c + w
			}
		}
	}
}
