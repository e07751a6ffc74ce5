//go:build darwin || linux

package openblas

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ebitengine/purego"
)

// open loads one library and binds what is called of it.
func open(name string) (*Library, error) {
	handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	l := &Library{path: name}
	if l.symbols, err = spelling(handle); err != nil {
		return nil, errors.Join(err, purego.Dlclose(handle))
	}
	bind := func(fn any, symbol string) error {
		address, err := purego.Dlsym(handle, l.symbols.symbol(symbol))
		if err == nil {
			purego.RegisterFunc(fn, address)
		}
		return err
	}
	var config func() string
	err = errors.Join(bind(&l.setThreads, "openblas_set_num_threads"), bind(&l.getThreads, "openblas_get_num_threads"),
		bind(&config, "openblas_get_config"))
	if err != nil {
		return nil, fmt.Errorf("it is no OpenBLAS, or an incomplete one: %w", err)
	}
	l.config = strings.TrimSpace(config())
	if l.symbols.wide || strings.Contains(l.config, "USE64BITINT") {
		return l, bindProducts[int64](l, bind)
	}
	return l, bindProducts[int32](l, bind)
}

// spelling finds how the library's symbols are spelled.
func spelling(handle uintptr) (naming, error) {
	for _, n := range namings() {
		_, products := purego.Dlsym(handle, n.symbol("cblas_sgemm"))
		_, threads := purego.Dlsym(handle, n.symbol("openblas_set_num_threads"))
		if products == nil && threads == nil {
			return n, nil
		}
	}
	return naming{}, errors.New("it has no cblas_sgemm and openblas_set_num_threads under any known prefix and suffix: it is no OpenBLAS, or one without CBLAS")
}

// bindProducts binds the products for a library whose integers are I.
func bindProducts[I int32 | int64](l *Library, bind func(fn any, symbol string) error) error {
	var one func(order, transA, transB int32, m, n, k I, alpha float32, a *float32, lda I, b *float32, ldb I, beta float32, c *float32, ldc I)
	if err := bind(&one, "cblas_sgemm"); err != nil {
		return err
	}
	l.sgemm = func(g gemm) {
		one(rowMajor, g.transA, g.transB, I(g.m), I(g.n), I(g.k), g.alpha, g.a, I(g.lda), g.b, I(g.ldb), g.beta, g.c, I(g.ldc))
	}
	var many func(order, transA, transB int32, m, n, k I, alpha float32, a *float32, lda, strideA I, b *float32, ldb, strideB I,
		beta float32, c *float32, ldc, strideC, count I)
	if bind(&many, "cblas_sgemm_batch_strided") == nil {
		l.batched = func(g gemm) {
			many(rowMajor, g.transA, g.transB, I(g.m), I(g.n), I(g.k), g.alpha, g.a, I(g.lda), I(g.strideA), g.b, I(g.ldb), I(g.strideB),
				g.beta, g.c, I(g.ldc), I(g.strideC), I(g.count))
		}
	}
	return nil
}
