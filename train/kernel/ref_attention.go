package kernel

import "math"

// refProbabilities returns the S x S softmax of one sequence (rows lo..hi) and head.
func refProbabilities(qkv Matrix, lo, hi, heads, head int) []float64 {
	d := qkv.Cols / 3
	dh := d / heads
	n := hi - lo
	p := make([]float64, n*n)
	for i := range n {
		q := qkv.row(lo + i)[head*dh:][:dh]
		row := p[i*n:][:n]
		top := math.Inf(-1)
		for j := range n {
			k := qkv.row(lo + j)[d+head*dh:][:dh]
			var s float64
			for c := range q {
				s += float64(q[c]) * float64(k[c])
			}
			row[j] = s / math.Sqrt(float64(dh))
			top = max(top, row[j])
		}
		var sum float64
		for j := range row {
			row[j] = math.Exp(row[j] - top)
			sum += row[j]
		}
		for j := range row {
			row[j] /= sum
		}
	}
	return p
}

func refAttention(dst, qkv Matrix, offsets []int, heads int) {
	d := qkv.Cols / 3
	dh := d / heads
	for s := range sequences(offsets) {
		lo, n := offsets[s], offsets[s+1]-offsets[s]
		for h := range heads {
			p := refProbabilities(qkv, lo, lo+n, heads, h)
			for i := range n {
				out := dst.row(lo + i)[h*dh:][:dh]
				for c := range out {
					var sum float64
					for j := range n {
						sum += p[i*n+j] * float64(qkv.row(lo + j)[2*d+h*dh+c])
					}
					out[c] = float32(sum)
				}
			}
		}
	}
}

func refAttentionBackward(dqkv, dy, qkv Matrix, offsets []int, heads int) {
	d := qkv.Cols / 3
	dh := d / heads
	scale := 1 / math.Sqrt(float64(dh))
	for s := range sequences(offsets) {
		lo, n := offsets[s], offsets[s+1]-offsets[s]
		for h := range heads {
			p := refProbabilities(qkv, lo, lo+n, heads, h)
			get := func(m Matrix, i, part, c int) float64 { return float64(m.row(lo + i)[part*d+h*dh+c]) }
			ds := make([]float64, n*n)
			for i := range n {
				var dot float64
				for j := range n {
					for c := range dh {
						ds[i*n+j] += get(dy, i, 0, c) * get(qkv, j, 2, c)
					}
					dot += ds[i*n+j] * p[i*n+j]
				}
				for j := range n {
					ds[i*n+j] = p[i*n+j] * (ds[i*n+j] - dot) * scale
				}
			}
			for i := range n {
				for c := range dh {
					var dq, dk, dv float64
					for j := range n {
						dq += ds[i*n+j] * get(qkv, j, 1, c)
						dk += ds[j*n+i] * get(qkv, j, 0, c)
						dv += p[j*n+i] * get(dy, j, 0, c)
					}
					row := dqkv.row(lo + i)
					row[h*dh+c], row[d+h*dh+c], row[2*d+h*dh+c] = float32(dq), float32(dk), float32(dv)
				}
			}
		}
	}
}

func refAttentionMean(dst []float32, qkv Matrix, offsets []int, heads int) {
	for s := range sequences(offsets) {
		n := offsets[s+1] - offsets[s]
		mean := make([]float64, n*n)
		for h := range heads {
			for i, v := range refProbabilities(qkv, offsets[s], offsets[s+1], heads, h) {
				mean[i] += v / float64(heads)
			}
		}
		narrow(dst[:n*n], mean)
		dst = dst[n*n:]
	}
}
