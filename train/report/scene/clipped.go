package scene

// Clipped lists the texts that reach beyond the scene and its margin, for tests of figures.
func (s *Scene) Clipped() (texts []string) {
	for _, it := range s.items {
		if it.kind != textItem {
			continue
		}
		w, x, y := s.TextWidth(it.text, it.font), it.points[0].X, it.points[0].Y
		switch it.font.Anchor {
		case Middle:
			x -= w / 2
		case End:
			x -= w
		}
		if x < -marginX || x+w > s.W+marginX || y-it.font.Size < -marginY || y+it.font.Size*0.25 > s.H+marginY {
			texts = append(texts, it.text)
		}
	}
	return texts
}
