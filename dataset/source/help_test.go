package source_test

import (
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/source"
)

func openSource(t testing.TB, spec string) dataset.Source {
	t.Helper()
	s, err := source.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
