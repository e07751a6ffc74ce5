package leakage

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// captionsLikeBLIP are n captions of about 50 words of English and 200 classes, one in three with its class's name.
func captionsLikeBLIP(n int) (*Names, []Text) {
	common := strings.Fields("the a of and is in with on image features its that to an are it there as which this for large " +
		"scene one by painting white has black background two be appears at or person standing various other drawing color " +
		"sitting small positioned adding wearing from colorful side several red their can blue near holding while green " +
		"another overall seen art yellow top displayed placed looking depicted around creating cartoon next body design " +
		"people has head artistic eyes tattoo visible made front additionally face sculpture style wooden long bright toy " +
		"close-up it's wings background's capturing detailed surface different left right center sketch")
	var classes []Class
	for l := range strings.Lines(synsets) {
		if wnid, list, ok := strings.Cut(l, "\t"); ok && !strings.HasPrefix(l, "#") && len(wnid) == 9 && wnid[8] < '2' {
			name, _, _ := strings.Cut(strings.TrimSpace(list), ", ")
			classes = append(classes, Class{wnid, strings.ReplaceAll(name, " ", "_")})
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	rare := make([]string, 8000)
	for i := range rare {
		for range 2 + r.IntN(3) {
			rare[i] += string("bcdfghlmnprst"[r.IntN(13)]) + []string{"a", "e", "i", "o", "u", "an", "er", "ing"}[r.IntN(8)]
		}
	}
	texts := make([]Text, n)
	for i := range texts {
		label := i % len(classes)
		words := []string{"The", "image", "features"}
		for len(words) < 50 {
			word := common[int(float64(len(common))*r.Float64()*r.Float64())]
			switch r.IntN(10) {
			case 0:
				word = rare[int(float64(len(rare))*r.Float64()*r.Float64())]
			case 1:
				word += ","
			}
			words = append(words, word)
		}
		if i%3 == 0 {
			words[r.IntN(50)] = strings.ReplaceAll(classes[label].Name, "_", " ")
		}
		texts[i] = Text{label, strings.Join(words, " ") + "."}
	}
	return NewNames(classes), texts
}

func perCaption(b *testing.B, captions int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(captions), "ns/caption")
}

func BenchmarkMeasure(b *testing.B) {
	n, texts := captionsLikeBLIP(10000)
	b.ReportAllocs()
	for b.Loop() {
		Measure(n, texts, texts[2000:9000], texts[9000:])
	}
	perCaption(b, len(texts))
}

func BenchmarkStatistics(b *testing.B) {
	_, texts := captionsLikeBLIP(10000)
	var captions []string
	for _, t := range texts {
		captions = append(captions, t.Caption)
	}
	b.ReportAllocs()
	for b.Loop() {
		Statistics(slices.Values(captions))
	}
	perCaption(b, len(captions))
}

func BenchmarkFind(b *testing.B) {
	n, texts := captionsLikeBLIP(1000)
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range texts {
			n.Find(t.Caption)
		}
	}
	perCaption(b, len(texts))
}

func BenchmarkWords(b *testing.B) {
	_, texts := captionsLikeBLIP(1000)
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range texts {
			Words(t.Caption)
		}
	}
	perCaption(b, len(texts))
}
