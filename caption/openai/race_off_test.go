//go:build !race

package openai_test

// slowed says that the race detector makes everything many times slower.
const slowed = false
